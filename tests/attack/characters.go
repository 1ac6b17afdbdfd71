// Which characters Go's regular expressions match, for a test that compares them with Python's: patterns come as a JSON list on
// standard input; for each the answer has the matching characters, five in a row of each, and one more list has the unassigned ones.
package main

import (
	"encoding/json"
	"log"
	"os"
	"regexp"
	"strings"
	"unicode"
)

func matching(matches func(rune) bool) []rune {
	found := []rune{}
	for character := rune(0); character <= unicode.MaxRune; character++ {
		if !unicode.Is(unicode.Cs, character) && matches(character) {
			found = append(found, character)
		}
	}
	return found
}

func main() {
	var patterns []string
	if err := json.NewDecoder(os.Stdin).Decode(&patterns); err != nil {
		log.Fatal(err)
	}
	answer := [][]rune{matching(func(character rune) bool {
		return !unicode.In(character, unicode.C, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z)
	})}
	for _, pattern := range patterns {
		expression := regexp.MustCompile(pattern)
		answer = append(answer, matching(func(character rune) bool {
			return expression.MatchString(strings.Repeat(string(character), 5))
		}))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		log.Fatal(err)
	}
}
