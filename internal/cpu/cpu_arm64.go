package cpu

func best() Class { return NEON }
