// Command aefeat-connect runs pipelines of Redpanda Connect with the
// components of package connect.
package main

import (
	"context"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/aefeat/aefeat/connect"
)

func main() {
	service.RunCLI(context.Background())
}
