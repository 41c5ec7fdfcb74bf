usr_files = []
