package progress

import (
	"testing"
	"time"

	"gotest.tools/v3/assert"
)

func TestAmountIsShortAtEveryBorder(t *testing.T) {
	for n, want := range map[int64]string{
		-5: "-5 B", 0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB",
		1_500_000_000: "1.5 GB", 1<<63 - 1: "9.2 EB",
	} {
		assert.Check(t, amount(n, Bytes) == want, "%d: %s, want %s", n, amount(n, Bytes), want)
	}
	assert.Equal(t, amount(100_000, Items), "100000")
}

func TestSpanHasTenthsOnlyWhereTheyMatter(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1234 * time.Millisecond: "1.2s", 12345 * time.Millisecond: "12s", 61 * time.Second: "1m1s",
	} {
		assert.Check(t, span(d) == want, "%v: %s, want %s", d, span(d), want)
	}
}
