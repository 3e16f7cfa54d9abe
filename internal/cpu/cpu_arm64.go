package cpu

func best() Class { return NEON }

func vnni() bool { return false }
