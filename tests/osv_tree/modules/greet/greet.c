int greet_marker;
