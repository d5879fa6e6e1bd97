package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"strings"
)

const sparsePrefix = "GNU.sparse."

// doubtful says why the records of an entry's extended header are not read by
// all programs as archive/tar reads them.
func doubtful(header *tar.Header, raw []byte) error {
	records := header.PAXRecords
	if len(records) == 0 {
		return nil
	}
	sparse := 0
	for key, value := range records {
		switch {
		case strings.HasPrefix(key, sparsePrefix):
			sparse++
		case key != "path" && key != "linkpath" && key != "size":
		case value == "":
			return errors.New("its extended header has an empty \"" + key + "\": programs differ in what holds instead")
		case key == "size" && !decimal(value):
			return errors.New("its extended header has a size that is no plain number")
		case key == "size" && header.Typeflag == tar.TypeLink && header.Size != 0:
			return errors.New("a hard link to which an extended header gives content: programs differ in where the next header is")
		}
	}
	if sparse > 0 && (header.Typeflag == tar.TypeGNUSparse || !wholeSparse(records, sparse, raw)) {
		return errors.New("its records of holes (" + sparsePrefix + "*) are of no known version as a whole: programs differ in its name and content")
	}
	return nil
}

// wholeSparse says whether the records of holes are those that GNU tar writes
// for one of the versions 0.0, 0.1 and 1.0, and no others. Those of 0.0 are
// turned into a map by archive/tar.
func wholeSparse(records map[string]string, count int, raw []byte) bool {
	has := func(key string) int {
		if records[sparsePrefix+key] == "" {
			return 0
		}
		return 1
	}
	major, minor := records[sparsePrefix+"major"], records[sparsePrefix+"minor"]
	if major == "1" && minor == "0" {
		return count == 4 && has("name") == 1 && decimal(records[sparsePrefix+"realsize"])
	}
	if major+minor != "" && (major != "0" || minor != "0" && minor != "1") {
		return false
	}
	known := has("major") + has("minor") + has("name") + has("map") + has("numblocks") + has("size")
	return count == known && has("map") == 1 && oneMap(raw) && decimal(records[sparsePrefix+"numblocks"]) && decimal(records[sparsePrefix+"size"])
}

// oneMap says whether records hold the regions of a sparse file once, after
// their number: GNU tar begins anew wherever it reads that number or a map,
// and archive/tar puts together what it finds.
func oneMap(raw []byte) bool {
	number, regions := []byte(sparsePrefix+"numblocks="), []byte(sparsePrefix+"map=")
	offset := bytes.Index(raw, []byte(sparsePrefix+"offset="))
	count := bytes.Count(raw, regions)
	if offset < 0 {
		offset = bytes.Index(raw, regions)
		count--
	}
	return count == 0 && bytes.Count(raw, number) == 1 && bytes.Index(raw, number) < offset
}

// decimal says whether a number is written with digits alone.
func decimal(number string) bool {
	return number != "" && strings.Trim(number, "0123456789") == ""
}
