package main

import (
	"context"
	"errors"
)

func inspectData(ctx context.Context, ui *console, name string, asJSON bool) error {
	return errors.New("not built yet")
}
