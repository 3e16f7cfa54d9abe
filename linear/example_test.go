package linear_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aefeat/aefeat/linear"
)

func ExampleFit() {
	// Four rows of two features; the second tells the classes apart.
	x := []float32{
		0.9, 10,
		0.2, 11,
		0.8, 30,
		0.1, 31,
	}
	labels := []int{0, 0, 1, 1}
	classifier, err := linear.Fit(context.Background(), x, 2, labels, 2, linear.Config{})
	if err != nil {
		log.Fatal(err)
	}

	predicted := make([]int, 2)
	if err := classifier.Predict(predicted, []float32{0.5, 12, 0.5, 29}); err != nil {
		log.Fatal(err)
	}
	accuracy, err := classifier.Accuracy(x, labels)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(predicted, accuracy)
	// Output: [0 1] 1
}
