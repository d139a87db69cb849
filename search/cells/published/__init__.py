"""Published recurrent cells as data, one file or more a family."""
