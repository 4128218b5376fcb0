"""Is a model, and all that it was made from, what the record says?"""
