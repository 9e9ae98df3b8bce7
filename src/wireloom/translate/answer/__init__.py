"""What a model meant: readings of answers in which calls are not written as the API has them."""
