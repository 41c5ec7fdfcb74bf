default = api.run("/greet.so")
loud = api.run("/greet.so --loud")
