package etcd

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"gotest.tools/v3/assert"
)

const testPage = 512

// item is an element: of a leaf, a bucket's root or a branch.
type item struct {
	key, value string
	flags      uint32
	child      uint64
}

// page makes a page as bbolt does.
func page(number uint64, flags uint16, overflow uint32, items ...item) []byte {
	b := header(number, flags, len(items), overflow)
	data := []byte{}
	for i, e := range items {
		pos := uint32(elementSize*(len(items)-i) + len(data))
		if flags == flagBranch {
			b = binary.LittleEndian.AppendUint32(b, pos)
			b = binary.LittleEndian.AppendUint32(b, uint32(len(e.key)))
			b = binary.LittleEndian.AppendUint64(b, e.child)
		} else {
			for _, n := range []uint32{e.flags, pos, uint32(len(e.key)), uint32(len(e.value))} {
				b = binary.LittleEndian.AppendUint32(b, n)
			}
		}
		data = append(append(data, e.key...), e.value...)
	}
	return append(b, data...)
}

func header(number uint64, flags uint16, count int, overflow uint32) []byte {
	b := binary.LittleEndian.AppendUint64(nil, number)
	b = binary.LittleEndian.AppendUint16(b, flags)
	b = binary.LittleEndian.AppendUint16(b, uint16(count))
	return binary.LittleEndian.AppendUint32(b, overflow)
}

// freePages makes the list of free pages.
func freePages(number uint64, ids ...uint64) []byte {
	b := header(number, flagFreelist, len(ids), 0)
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint64(b, id)
	}
	return b
}

// bucketAt is the value of a bucket with its root in a page, or of one inline.
func bucketAt(root uint64, inline ...byte) string {
	return string(append(binary.LittleEndian.AppendUint64(nil, root), append(make([]byte, 8), inline...)...))
}

// assemble puts pages behind two meta pages. The list of free pages is page 2, the root is page 3.
func assemble(pages ...[]byte) []byte {
	b := make([]byte, 2*testPage)
	for number := range uint64(2) {
		m := header(number, flagMeta, 0, 0)
		for _, n := range []uint32{boltMagic, boltVersion, testPage, 0} {
			m = binary.LittleEndian.AppendUint32(m, n)
		}
		for _, n := range []uint64{3, 0, 2, uint64(2 + len(pages)), number} {
			m = binary.LittleEndian.AppendUint64(m, n)
		}
		copy(b[number*testPage:], binary.LittleEndian.AppendUint64(m, metaSum(m[pageHeaderSize:])))
	}
	for _, p := range pages {
		b = append(b, append(p, make([]byte, testPage)...)[:testPage]...)
	}
	return b
}

// A sound one: the list, the root with a bucket, the bucket's branch, its two leaves, a free page.
func soundPages() [][]byte {
	return [][]byte{
		freePages(2, 7),
		page(3, flagLeaf, 0, item{key: "b", value: bucketAt(4), flags: flagBucket}),
		page(4, flagBranch, 0, item{key: "f", child: 5}, item{key: "p", child: 6}),
		page(5, flagLeaf, 0, item{key: "f", value: "1"}, item{key: "g", value: "2"}),
		page(6, flagLeaf, 0, item{key: "p", value: "3"}, item{key: "z", value: "4"}),
		{},
	}
}

// with replaces a page of the sound ones.
func with(number int, p []byte) [][]byte {
	pages := soundPages()
	pages[number-2] = p
	return pages
}

func TestEveryRuleOfTheTree(t *testing.T) {
	leaf := func(items ...item) [][]byte { return with(5, page(5, flagLeaf, 0, items...)) }
	branch := func(items ...item) [][]byte { return with(4, page(4, flagBranch, 0, items...)) }
	root := func(value string) [][]byte {
		return with(3, page(3, flagLeaf, 0, item{key: "b", value: bucketAt(4), flags: flagBucket}, item{key: "c", value: value, flags: flagBucket}))
	}
	changed := func(number, at int, to ...byte) [][]byte {
		p := slices.Concat(soundPages()[number-2], make([]byte, testPage))
		copy(p[at:], to)
		return with(number, p)
	}
	for name, test := range map[string]struct {
		pages [][]byte
		want  string // empty for what is sound
	}{
		"sound":                                  {soundPages(), ""},
		"an empty bucket inline":                 {root(bucketAt(0, page(0, flagLeaf, 0)...)), ""},
		"a bucket inline":                        {root(bucketAt(0, page(0, flagLeaf, 0, item{key: "k", value: "v"})...)), ""},
		"a page is lost":                         {with(2, freePages(2)), "page 7 is neither in use nor free"},
		"a page is in use and free":              {with(2, freePages(2, 5, 7)), "page 5 is in use and in the list of free pages"},
		"a page is in use twice":                 {branch(item{key: "f", child: 5}, item{key: "p", child: 5}), "page 5 is in use twice"},
		"a page leads to itself":                 {branch(item{key: "f", child: 4}, item{key: "p", child: 6}), "page 4 is in use twice"},
		"a page leads to a meta page":            {branch(item{key: "f", child: 1}, item{key: "p", child: 6}), "page 1 is referred to, and there are 8"},
		"a page leads beyond the end":            {branch(item{key: "f", child: 8}, item{key: "p", child: 6}), "page 8 is referred to, and there are 8"},
		"a page leads far beyond the end":        {branch(item{key: "f", child: 1 << 63}, item{key: "p", child: 6}), "is referred to"},
		"a page has another number":              {with(5, page(6, flagLeaf, 0)), "page 5: its header says it is page 6"},
		"a page runs on beyond the end":          {with(5, page(5, flagLeaf, 3, item{key: "f"})), "page 5: it runs on for 3 pages, and there are 8 in all"},
		"a page runs on into another":            {with(5, page(5, flagLeaf, 1, item{key: "f"})), "page 6 is in use twice"},
		"a page runs on into a free one":         {with(6, page(6, flagLeaf, 1, item{key: "p"})), "page 7 is in use and in the list"},
		"a page is of another kind":              {with(5, freePages(5)), "page 5: it is neither a branch nor a leaf: its flags are 0x10"},
		"a page is of two kinds":                 {with(5, page(5, flagBranch|flagLeaf, 0, item{key: "f"})), "neither a branch nor a leaf"},
		"a branch is empty":                      {branch(), "page 4: it has no elements"},
		"a leaf within the tree is empty":        {leaf(), "page 5: it has no elements"},
		"there are more elements than room":      {changed(5, 10, 32), "page 5: it counts 32 elements"},
		"keys are equal":                         {leaf(item{key: "f"}, item{key: "f"}), "page 5: the keys of elements 0 and 1 are not in order"},
		"keys go back":                           {leaf(item{key: "g"}, item{key: "f"}), "page 5: the keys of elements 0 and 1"},
		"keys of a branch go back":               {branch(item{key: "p", child: 6}, item{key: "f", child: 5}), "page 6: its last key"},
		"keys of a branch are equal":             {branch(item{key: "f", child: 5}, item{key: "f", child: 6}), "page 5: its last key"},
		"a key comes before the page":            {leaf(item{key: "e"}, item{key: "f"}), "page 5: its first key comes before the one that led to it"},
		"a key comes behind the page":            {leaf(item{key: "f"}, item{key: "p"}), "page 5: its last key belongs into the page behind it"},
		"a key is empty":                         {leaf(item{key: ""}), "page 5: element 0 has a key of 0 bytes"},
		"a key is longer than keys are":          {changed(5, 16+8, 1, 0x80), "page 5: element 0 has a key of 32769 bytes"},
		"an element lies elsewhere":              {changed(5, 16+4, 33), "page 5: element 0 does not lie behind the one before it"},
		"an element reaches beyond the page":     {changed(5, 32+12, 0xff, 0xff, 0xff, 0xff), "page 5: element 1 reaches beyond the page"},
		"an element is of an unknown kind":       {leaf(item{key: "f", flags: 2}), "page 5: element 0 has the unknown flags 0x2"},
		"the root holds what is no bucket":       {with(3, page(3, flagLeaf, 0, item{key: "b", value: bucketAt(4)})), "page 3: element 0 of the root is no bucket"},
		"a bucket has no room for its root":      {root("short"), "page 3: element 1 is a bucket of 5 bytes"},
		"a bucket has too much for its root":     {root(bucketAt(7, 1, 2, 3)), "page 3: element 1 is a bucket of 19 bytes"},
		"a bucket has no root":                   {root(bucketAt(0)), "page 3: element 1 is a bucket of 16 bytes with its root in page 0"},
		"a bucket has a root and is inline":      {root(bucketAt(7, page(0, flagLeaf, 0)...)), "is a bucket of 32 bytes with its root in page 7"},
		"an inline bucket has a number":          {root(bucketAt(0, page(9, flagLeaf, 0)...)), "page 3, in an inline bucket: it has the header of another page"},
		"an inline bucket is a branch":           {root(bucketAt(0, page(0, flagBranch, 0)...)), "the header of another page"},
		"an inline bucket runs on":               {root(bucketAt(0, page(0, flagLeaf, 1)...)), "the header of another page"},
		"an inline bucket counts too much":       {root(bucketAt(0, header(0, flagLeaf, 9, 0)...)), "page 3, in an inline bucket: it counts 9 elements"},
		"an inline bucket holds a bucket":        {root(bucketAt(0, page(0, flagLeaf, 0, item{key: "k", value: bucketAt(7), flags: flagBucket})...)), "element 0 is a bucket"},
		"an inline bucket has something left":    {root(bucketAt(0, append(page(0, flagLeaf, 0, item{key: "k"}), 0)...)), "its elements end after 33 of 34 bytes"},
		"the list is no list":                    {with(2, page(2, flagLeaf, 0)), "page 2: it is not the list of free pages: its flags are 0x2"},
		"the list names itself":                  {with(2, freePages(2, 2, 7)), "page 2: it names itself as free"},
		"the list names a page twice":            {with(2, freePages(2, 7, 7)), "page 2: it names page 7 as free twice"},
		"the list names a meta page":             {with(2, freePages(2, 1)), "page 2: it names page 1 as free, and there are 8"},
		"the list names what is beyond the end":  {with(2, freePages(2, 7, 8)), "page 2: it names page 8 as free"},
		"the list counts more than it holds":     {changed(2, 10, 0xff), "page 2: it counts 255 free pages"},
		"the list counts elsewhere, beyond all":  {with(2, append(header(2, flagFreelist, countElsewhere, 0), bytes.Repeat([]byte{0xff}, 8)...)), "more than it has room for"},
		"the list counts elsewhere, and rightly": {with(2, append(header(2, flagFreelist, countElsewhere, 0), 1, 0, 0, 0, 0, 0, 0, 0, 7)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			torn, err := checkBolt(assemble(test.pages...))
			assert.Assert(t, !torn)
			if test.want == "" {
				assert.NilError(t, err)
				return
			}
			assert.ErrorContains(t, err, test.want)
			assert.ErrorIs(t, err, ErrDamaged)
		})
	}
}

func TestDepthIsBounded(t *testing.T) {
	for depth, want := range map[uint64]string{maxDepth - 2: "", maxDepth: "more than 128 pages lie between the root and an element"} {
		pages := [][]byte{freePages(2), page(3, flagLeaf, 0, item{key: "b", value: bucketAt(4), flags: flagBucket})}
		for i := range depth {
			pages = append(pages, page(4+i, flagBranch, 0, item{key: "k", child: 5 + i}))
		}
		_, err := checkBolt(assemble(append(pages, page(4+depth, flagLeaf, 0, item{key: "k"}))...))
		if want == "" {
			assert.NilError(t, err)
		} else {
			assert.ErrorContains(t, err, want)
		}
	}
}

func TestEmptyBucketMayHaveAPage(t *testing.T) {
	pages := with(3, page(3, flagLeaf, 0, item{key: "b", value: bucketAt(4), flags: flagBucket}, item{key: "c", value: bucketAt(7), flags: flagBucket}))
	pages[0], pages[5] = freePages(2), page(7, flagLeaf, 0)
	_, err := checkBolt(assemble(pages...))
	assert.NilError(t, err)
}

func TestKeyMayBeAsLongAsBboltAllows(t *testing.T) {
	long := page(5, flagLeaf, 64, item{key: "f" + strings.Repeat("k", maxKeySize-1)})
	pages := [][]byte{freePages(2), soundPages()[1], page(4, flagBranch, 0, item{key: "f", child: 5}), long[:testPage]}
	for rest := long[testPage:]; len(pages) < 68; rest = rest[min(testPage, len(rest)):] {
		pages = append(pages, bytes.Clone(rest[:min(testPage, len(rest))]))
	}
	_, err := checkBolt(assemble(pages...))
	assert.NilError(t, err)
}
