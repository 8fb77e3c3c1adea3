"""A fitted model at work: new photos scored one by one or as they come. It asks one loaded `Model` and knows no experiment."""
