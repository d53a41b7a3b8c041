"""The training set: fetched from package registries, checked, cut and packed into one shard."""
