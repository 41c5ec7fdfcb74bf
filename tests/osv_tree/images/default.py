run = ["greet"]
