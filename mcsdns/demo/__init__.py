"""The demo clusterset, installed with the command: what `mcsdns serve` serves where no configuration is named. Data only."""
