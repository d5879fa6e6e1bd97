package store

import (
	"errors"
	"testing"
)

func TestClocksOfOneInstantCountOnce(t *testing.T) {
	for name, c := range map[string]struct {
		ticks []uint64
		torn  bool
	}{
		"all the same":                              {[]uint64{7, 7, 7, 7}, false},
		"counted in the first":                      {[]uint64{8, 7, 7, 7}, false},
		"counted in all but the last":               {[]uint64{8, 8, 8, 7}, false},
		"counted in the last ahead of the first":    {[]uint64{7, 7, 7, 8}, true},
		"counted in one ahead of the one before it": {[]uint64{8, 7, 8, 7}, true},
		"counted twice in the first":                {[]uint64{9, 7, 7, 7}, true},
		"counted twice on the way":                  {[]uint64{9, 8, 7, 7}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := checkClocks(c.ticks); errors.Is(err, ErrTorn) != c.torn {
				t.Fatal(err)
			}
		})
	}
}
