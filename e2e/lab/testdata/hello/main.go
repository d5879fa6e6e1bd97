// Program hello is what an imported image of one static program runs.
package main

import "fmt"

func main() {
	fmt.Println("hello from a container")
}
