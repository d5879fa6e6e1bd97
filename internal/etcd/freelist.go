package etcd

const (
	countElsewhere = 0xFFFF // then the first number in the list is their count
	idSize         = 8
	idsAtOnce      = 512
)

// readFreelist notes the free pages. Where there is no list (bbolt's
// NoFreelistSync, as etcd has it), nothing is known to be free.
func (t *tree) readFreelist() error {
	if t.freelist == noFreelist {
		return nil
	}
	r := &run{}
	if err := t.claim(r, t.freelist); err != nil {
		return err
	}
	if r.flags != flagFreelist {
		return r.damaged("it is not the list of free pages: its flags are %#x", r.flags)
	}
	at, count := int64(pageHeaderSize), int64(r.count)
	if r.count == countElsewhere {
		b, err := r.at(at, idSize)
		if err != nil {
			return err
		}
		at, count = at+idSize, pageNumber(b)
	}
	if count < 0 || count > (r.size-at)/idSize {
		return r.damaged("it counts %d free pages, more than it has room for", count)
	}
	for count > 0 {
		n := min(count, idsAtOnce)
		ids, err := r.at(at, int(n)*idSize)
		if err != nil {
			return err
		}
		if err := t.noteFree(r, ids); err != nil {
			return err
		}
		at, count = at+n*idSize, count-n
	}
	return nil
}

func (t *tree) noteFree(r *run, ids []byte) error {
	for ; len(ids) > 0; ids = ids[idSize:] {
		page := pageNumber(ids)
		switch {
		case page < firstPage || page >= t.pages:
			return r.damaged("it names page %d as free, and there are %d", page, t.pages)
		case t.free.has(page):
			return r.damaged("it names page %d as free twice", page)
		case t.used.has(page):
			return r.damaged("it names itself as free")
		}
		t.free.add(page)
	}
	return nil
}
