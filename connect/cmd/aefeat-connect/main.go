// Command aefeat-connect runs pipelines of Redpanda Connect, which once was
// Benthos, with the components of package connect beside those of its packages
// pure and io: files, standard streams, HTTP, sockets and subprocesses,
// Bloblang, buffers, batches and scanners. All of it is under the MIT licence.
//
//	aefeat-connect run pipeline.yaml
//	aefeat-connect create file/aefeat_transform/stdout
//	aefeat-connect --help
//
// Who needs other connectors, such as Kafka or AMQP, imports package connect
// into a program of their own that has them: it is as short as this one.
package main

import (
	"context"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	_ "github.com/aefeat/aefeat/connect"
)

func main() {
	service.RunCLI(context.Background(), service.CLIOptSetBinaryName("aefeat-connect"))
}
