package etcd

import (
	"bytes"
	"io"
)

const (
	// maxDepth bounds the pages between the root and an element. Etcd's databases need five or so.
	maxDepth         = 128
	bucketHeaderSize = 16 // the root page's number, 0 for an inline bucket, and a sequence
)

// visitor is told of everything in a database, in the order of keys.
type visitor interface {
	// bucket is told of each bucket; level is 1 for those in the root.
	bucket(level int, name []byte, in *run) error
	// entry is told of each pair; at level 1 it is in the bucket that was told of last.
	entry(level int, key []byte, value content) error
}

// tree goes through the pages of a database.
type tree struct {
	meta
	file   io.ReaderAt
	used   pageSet
	free   pageSet
	stack  []*frame // those from depth on are kept for their memory
	depth  int
	visits visitor
}

// frame is a page on the way down.
type frame struct {
	run          run
	level        int // of the bucket it belongs to, 0 for the root
	next         int // the element to look at next
	start        int64
	key          []byte // of the element looked at
	last         []byte // of the one before
	lower, upper []byte // lower ≤ every key < upper; empty where the tree gives no bound
}

// checkTree sees that the structure of a database is right.
func checkTree(f io.ReaderAt, m meta, v visitor) error {
	t := &tree{meta: m, file: f, used: newPageSet(m.pages), free: newPageSet(m.pages), visits: v}
	for page := range int64(firstPage) {
		t.used.add(page)
	}
	if err := t.readFreelist(); err != nil {
		return err
	}
	if err := t.push(m.root, 0, nil, nil); err != nil {
		return err
	}
	for t.depth > 0 {
		top := t.stack[t.depth-1]
		if top.next == top.run.count {
			t.depth--
			continue
		}
		if err := t.step(top); err != nil {
			return err
		}
	}
	return t.accounted()
}

// accounted sees that no page is lost. Without a list of free pages bbolt takes
// for free what is not reached.
func (t *tree) accounted() error {
	if t.freelist == noFreelist {
		return nil
	}
	for page := range t.pages {
		if !t.used.has(page) && !t.free.has(page) {
			return damaged("page %d is neither in use nor free", page)
		}
	}
	return nil
}

// claim loads a run and notes that it is in use, for the first time.
func (t *tree) claim(r *run, number int64) error {
	if number < firstPage || number >= t.pages {
		return damaged("page %d is referred to, and there are %d", number, t.pages)
	}
	if err := r.load(t.file, number, t.pageSize); err != nil {
		return err
	}
	if r.said != number {
		return r.damaged("its header says it is page %d", r.said)
	}
	if int64(r.overflow) >= t.pages-number {
		return r.damaged("it runs on for %d pages, and there are %d in all", r.overflow, t.pages)
	}
	for page := number; page <= number+int64(r.overflow); page++ {
		if t.used.has(page) {
			return damaged("page %d is in use twice", page)
		}
		if t.free.has(page) {
			return damaged("page %d is in use and in the list of free pages", page)
		}
		t.used.add(page)
	}
	return nil
}

// grow gives the next frame.
func (t *tree) grow(level int) (*frame, error) {
	if t.depth == maxDepth {
		return nil, damaged("more than %d pages lie between the root and an element", maxDepth)
	}
	if t.depth == len(t.stack) {
		t.stack = append(t.stack, &frame{})
	}
	f := t.stack[t.depth]
	t.depth++
	f.level, f.next = level, 0
	f.last, f.lower, f.upper = f.last[:0], f.lower[:0], f.upper[:0]
	return f, nil
}

// push goes down to a page. A page without elements is an empty bucket's root; within a tree bbolt leaves none.
func (t *tree) push(number int64, level int, lower, upper []byte) error {
	f, err := t.grow(level)
	if err != nil {
		return err
	}
	f.lower, f.upper = append(f.lower, lower...), append(f.upper, upper...)
	if err := t.claim(&f.run, number); err != nil {
		return err
	}
	if f.run.flags != flagBranch && f.run.flags != flagLeaf {
		return f.run.damaged("it is neither a branch nor a leaf: its flags are %#x", f.run.flags)
	}
	if f.run.count == 0 && (f.run.flags == flagBranch || len(lower) > 0) {
		return f.run.damaged("it has no elements")
	}
	return f.begin()
}

// begin sees that the elements' table is within the page.
func (f *frame) begin() error {
	f.start = pageHeaderSize + int64(f.run.count)*elementSize
	if f.start > f.run.size {
		return f.run.damaged("it counts %d elements, more than it has room for", f.run.count)
	}
	return nil
}

// step looks at the next element of a page.
func (t *tree) step(f *frame) error {
	i := f.next
	e, err := f.run.element(i, f.start)
	if err != nil {
		return err
	}
	if err := f.readKey(i, e); err != nil {
		return err
	}
	f.next, f.start = i+1, e.end
	switch {
	case f.run.flags == flagBranch:
		return t.branch(f, e)
	case e.bucket:
		return t.bucket(f, e)
	case f.level == 0:
		return f.run.damaged("element %d of the root is no bucket", i)
	}
	return t.visits.entry(f.level, f.key, content{&f.run, e.value, e.end - e.value})
}

// readKey reads an element's key and sees that it stands where the order wants it.
func (f *frame) readKey(i int, e element) error {
	key, err := f.run.at(e.key, int(e.value-e.key))
	if err != nil {
		return err
	}
	f.last, f.key = f.key, f.last
	f.key = append(f.key[:0], key...)
	switch {
	case i > 0 && bytes.Compare(f.last, f.key) >= 0:
		return f.run.damaged("the keys of elements %d and %d are not in order", i-1, i)
	case i == 0 && bytes.Compare(f.key, f.lower) < 0:
		return f.run.damaged("its first key comes before the one that led to it")
	case i == f.run.count-1 && len(f.upper) > 0 && bytes.Compare(f.key, f.upper) >= 0:
		return f.run.damaged("its last key belongs into the page behind it")
	}
	return nil
}

// branch goes down to the child, whose keys lie between the element's and the next one's.
func (t *tree) branch(f *frame, e element) error {
	upper := f.upper
	if f.next < f.run.count {
		next, err := f.run.element(f.next, e.end)
		if err != nil {
			return err
		}
		if upper, err = f.run.at(next.key, int(next.value-next.key)); err != nil {
			return err
		}
	}
	return t.push(e.child, f.level, f.key, upper)
}

// bucket goes down to a bucket's own tree.
func (t *tree) bucket(f *frame, e element) error {
	size := e.end - e.value
	if size != bucketHeaderSize && (size < bucketHeaderSize+pageHeaderSize || size > maxPageSize) {
		return f.run.damaged("element %d is a bucket of %d bytes", f.next-1, size)
	}
	value, err := f.run.at(e.value, int(size))
	if err != nil {
		return err
	}
	root := pageNumber(value)
	if (root == 0) != (size > bucketHeaderSize) {
		return f.run.damaged("element %d is a bucket of %d bytes with its root in page %d", f.next-1, size, root)
	}
	if err := t.visits.bucket(f.level+1, f.key, &f.run); err != nil {
		return err
	}
	if root != 0 {
		return t.push(root, f.level+1, nil, nil)
	}
	return t.inline(f, value[bucketHeaderSize:])
}

// inline goes into a bucket that lies within the page of another. Such a one holds no buckets, and fits exactly.
func (t *tree) inline(in *frame, value []byte) error {
	f, err := t.grow(in.level + 1)
	if err != nil {
		return err
	}
	f.run.inline(value, in.run.number)
	if f.run.said != 0 || f.run.flags != flagLeaf || f.run.overflow != 0 {
		return f.run.damaged("it has the header of another page")
	}
	if err := f.begin(); err != nil {
		return err
	}
	return f.fits()
}

func (f *frame) fits() error {
	start := f.start
	for i := range f.run.count {
		e, err := f.run.element(i, start)
		if err != nil {
			return err
		}
		if e.bucket {
			return f.run.damaged("element %d is a bucket", i)
		}
		start = e.end
	}
	if start != f.run.size {
		return f.run.damaged("its elements end after %d of %d bytes", start, f.run.size)
	}
	return nil
}
