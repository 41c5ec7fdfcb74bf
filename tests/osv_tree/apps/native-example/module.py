default = api.run("/hello")
