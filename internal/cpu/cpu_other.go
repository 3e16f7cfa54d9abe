//go:build !(amd64 || arm64)

package cpu

func best() Class { return Plain }

func vnni() bool { return false }
