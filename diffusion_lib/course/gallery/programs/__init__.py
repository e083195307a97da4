"""Short programs, a page each, in which the bugs of the gallery are planted; notebook 12 shows them as they stand."""
