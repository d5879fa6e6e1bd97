package etcd

// pageSet is a set of page numbers, a bit each.
type pageSet []uint64

func newPageSet(pages int64) pageSet { return make(pageSet, (pages+63)/64) }

func (s pageSet) has(page int64) bool { return s[page/64]&(1<<(page%64)) != 0 }

func (s pageSet) add(page int64) { s[page/64] |= 1 << (page % 64) }
