package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxSparse bounds what the sparse files of an archive that is not ours may
// claim together: a tebibyte, so that a kilobyte of tar is not an hour of zeros.
const maxSparse = 1 << 40

// foreign judges a tar that is not ours: the vendor's, or anything.
type foreign struct {
	*pass
	names  *nameSet
	parent string // the last folder that was found to be reached through folders only
	sparse int64  // bytes that sparse files claim
}

func newForeign(p *pass) *foreign {
	return &foreign{pass: p, names: newNameSet(maxNames)}
}

func (f *foreign) run() error {
	err := f.entries()
	f.summary.Forgotten = f.names.forgotten
	if f.summary.Forgotten > 0 {
		f.summary.add(Problem{Text: fmt.Sprintf("more than %d names: whether one comes twice, or leads through a link, is not known beyond these", maxNames)})
	}
	return err
}

func (f *foreign) entries() error {
	for {
		header, err := f.next()
		switch {
		case err != nil:
			return err
		case header == nil && f.raw.offset == 0:
			return wrong("", "it is empty")
		case header == nil:
			return f.end()
		}
		if err := f.entry(header); err != nil {
			return err
		}
		f.last = header.Name
	}
}

// entry judges one entry and, if nothing is wrong with it, reads its content.
func (f *foreign) entry(header *tar.Header) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		if err := f.global(header); err != nil {
			f.summary.add(Problem{Entry: header.Name, Text: err.Error(), Unsafe: true})
		}
		return nil
	}
	f.summary.Entries++
	if err := f.judge(header); err != nil {
		f.summary.add(Problem{Entry: header.Name, Text: err.Error(), Unsafe: true})
		return f.refused(header) // the next header is found without reading what this one holds
	}
	if kindOf(header.Typeflag) == regularFile && header.Typeflag != tar.TypeLink {
		header.Typeflag = tar.TypeReg
		f.summary.Files++
		f.summary.Bytes += min(header.Size, maxBytes-f.summary.Bytes)
	}
	to, err := f.tell(header)
	if err != nil {
		return err
	}
	return f.content(header.Name, f.tar, io.Discard, to)
}

// refused tells of an entry that is a Problem.
func (f *foreign) refused(header *tar.Header) error {
	onlooker, wants := f.watch.(Onlooker)
	if !wants {
		return nil
	}
	if err := onlooker.Refused(header); err != nil {
		return &watchError{header.Name, err}
	}
	return nil
}

// global judges a header that holds for all that follow. GNU tar obeys it where
// archive/tar does not, so that it may not say anything that would make two
// archives of one.
func (f *foreign) global(header *tar.Header) error {
	if header.PAXRecords == nil { // archive/tar leaves them out when one holds no number where one belongs
		return errors.New("a global header with a record that is not valid: what else it says of all that follows is not known")
	}
	for key := range header.PAXRecords {
		if key == "path" || key == "linkpath" || key == "size" || strings.HasPrefix(key, sparsePrefix) {
			return errors.New("a global header sets names or sizes of all that follows")
		}
	}
	return f.doubt(header)
}

// judge says what is wrong with an entry.
func (f *foreign) judge(header *tar.Header) error {
	if err := f.doubt(header); err != nil {
		return err
	}
	path, err := cleanPath(header.Name, header.Typeflag == tar.TypeDir)
	if err != nil {
		return err
	}
	linked := error(nil)
	if header.Typeflag == tar.TypeLink { // before its own name is one
		linked = f.link(header.Linkname)
	}
	if err := f.remember(path, kindOf(header.Typeflag)); err != nil {
		return err
	}
	if linked != nil {
		return linked
	}
	return f.kind(path, header)
}

// kind says what is wrong with what an entry is.
func (f *foreign) kind(path string, header *tar.Header) error {
	if err := outOfOurs(path, header.Typeflag); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return f.regular(header)
	case tar.TypeLink:
		return nil // some write the size of the file that it leads to, and all readers pass over it
	case tar.TypeDir, tar.TypeFifo:
	case tar.TypeSymlink:
		if err := symlink(path, header.Linkname); err != nil {
			return err
		}
	case tar.TypeChar, tar.TypeBlock:
		return errors.New("a device node, which UCP has in no volume")
	default:
		return fmt.Errorf("of a kind (%q) that UCP does not write", header.Typeflag)
	}
	if header.Size != 0 {
		return fmt.Errorf("claims %d bytes of content, and is no regular file", header.Size)
	}
	return nil
}

// outOfOurs refuses what only an archive of ours has, of whatever kind it is.
func outOfOurs(path string, typeflag byte) error {
	first, rest, below := strings.Cut(path, "/")
	if first != ownFolder || !below && typeflag == tar.TypeDir {
		return nil
	}
	name, _, _ := strings.Cut(rest, "/")
	switch first + "/" + name {
	case Path(manifestName), Path(reportName), Path(sumsName), ownFolder + "/":
		return errors.New("is of an archive of docker ucp backup, but the manifest of one stands first: " +
			"its beginning is missing, or it was put together anew")
	}
	return nil
}

// regular says what is wrong with a regular file.
func (f *foreign) regular(header *tar.Header) error {
	if !isSparse(header) {
		return nil
	}
	if header.Size > maxSparse-f.sparse {
		return fmt.Errorf("claims %d bytes with holes, which is more than is expanded", header.Size)
	}
	f.sparse += header.Size
	return nil
}

// isSparse says whether archive/tar makes holes into zeros for an entry.
func isSparse(header *tar.Header) bool {
	for key := range header.PAXRecords {
		if strings.HasPrefix(key, sparsePrefix) {
			return true
		}
	}
	return header.Typeflag == tar.TypeGNUSparse
}
