"""Which owner names exist and what records they own: the multicluster DNS rules, clause by clause. Pure."""
