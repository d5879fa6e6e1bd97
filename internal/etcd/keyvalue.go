package etcd

// The fields of a mvccpb.KeyValue (go.etcd.io/etcd/api/v3, mvccpb/kv.proto): key, the revisions in which it was created
// and modified, version, value, lease. All fields are known since etcd 3.0.
const (
	fieldModified = 3
	fieldHead     = 20 // the most bytes that a field's tag and a number or length take
)

var keyValueWires = map[uint64]uint64{1: wireBytes, 2: wireVarint, 3: wireVarint, 4: wireVarint, 5: wireBytes, 6: wireVarint}

// readKeyValue goes over the fields of a revision's value without reading the
// long ones, and gives the revision in which the key was modified.
func readKeyValue(value content) (modified uint64, err error) {
	for at := int64(0); at < value.size; {
		b, err := value.at(at, fieldHead)
		if err != nil {
			return 0, err
		}
		f, ok := parseField(b)
		if wire, known := keyValueWires[f.number]; !ok || known && wire != f.wire {
			return 0, value.run.damaged("a revision's value is broken at its byte %d", at)
		}
		at += int64(f.head)
		if f.size > value.size-at {
			return 0, value.run.damaged("a revision's value ends within a field")
		}
		at += f.size
		if f.number == fieldModified {
			modified = f.value
		}
	}
	return modified, nil
}
