package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/volume"
)

// table gathers figures by row and prints each row's minimum, median and maximum.
type table struct {
	title string
	order []string
	rows  map[string][]float64
	units map[string]string
}

func (t *table) put(row, unit string, value float64) {
	if t.rows == nil {
		t.rows, t.units = map[string][]float64{}, map[string]string{}
	}
	if _, found := t.rows[row]; !found {
		t.order = append(t.order, row)
	}
	t.rows[row] = append(t.rows[row], value)
	t.units[row] = unit
}

func (t *table) add(row string, d time.Duration)      { t.put(row, "s", d.Seconds()) }
func (t *table) bytes(row string, n int64)            { t.put(row, "MiB", float64(n)/mib) }
func (t *table) ratio(row string, a, b time.Duration) { t.put(row, "ratio", a.Seconds()/b.Seconds()) }

func (t *table) print(to io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s\n", t.title)
	fmt.Fprintf(&text, "%9s %9s %9s\n", "min", "median", "max")
	for _, row := range t.order {
		values := slices.Sorted(slices.Values(t.rows[row]))
		fmt.Fprintf(&text, "%9.2f %9.2f %9.2f  %-6s %s\n", values[0], values[len(values)/2], values[len(values)-1], t.units[row], row)
	}
	_, err := io.WriteString(to, text.String())
	return err
}

// volumes lists the stand-in's volumes.
func (b *bench) volumes(ctx context.Context) (names []string, err error) {
	client, err := b.node.Client()
	if err != nil {
		return nil, err
	}
	list, err := client.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, v := range list.Volumes {
		if strings.HasPrefix(v.Name, "ucp-") {
			names = append(names, v.Name)
		}
	}
	return names, client.Close()
}
