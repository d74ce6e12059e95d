"""What the objects of the member clusters mean: which services there are, who may speak for them, what each is made of. Pure."""
