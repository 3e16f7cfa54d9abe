package atomicfile

import (
	"io/fs"
	"os"
)

func openDescriptor(path string) (*os.File, error) { return nil, nil }

func keepOwner(f *os.File, info fs.FileInfo) {}

func syncDir(dir string) {}
