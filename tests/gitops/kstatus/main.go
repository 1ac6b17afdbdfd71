// What kstatus, by which Flux and others judge whether an object is well, says of objects: they come as a JSON
// list on standard input, and the answer is a list with the status and the message of each.
package main

import (
	"encoding/json"
	"log"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubernetes "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	var objects []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		log.Fatal(err)
	}
	answer := [][2]string{}
	for _, text := range objects {
		var object map[string]any // with whole numbers as int64, which kstatus expects
		if err := kubernetes.Unmarshal(text, &object); err != nil {
			log.Fatal(err)
		}
		result, err := status.Compute(&unstructured.Unstructured{Object: object})
		if err != nil {
			log.Fatal(err)
		}
		answer = append(answer, [2]string{result.Status.String(), result.Message})
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		log.Fatal(err)
	}
}
