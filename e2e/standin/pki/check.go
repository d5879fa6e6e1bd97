package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// ByName finds the volume of certificates of this name.
func ByName(name string) (Volume, error) {
	i := slices.IndexFunc(Volumes, func(v Volume) bool { return v.Name == name })
	if i < 0 {
		return Volume{}, fmt.Errorf("%s is not a volume of certificates", name)
	}
	return Volumes[i], nil
}

// Check says everything that is wrong with dir as a copy of the volume.
func (v Volume) Check(dir string) error {
	var wrong []error
	for _, name := range v.files() {
		wrong = append(wrong, v.checkFile(dir, name))
	}
	wrong = append(wrong, v.checkPair(dir))
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("certificates %s: %w", dir, err)
	}
	return nil
}

// CheckRoots compares the roots that the volumes under dir carry with the roots themselves.
func CheckRoots(dir string) error {
	var wrong []error
	for _, v := range Volumes {
		if v.Issuer == "" {
			continue
		}
		root, err := os.ReadFile(filepath.Join(dir, v.Issuer, "cert.pem"))
		if err != nil {
			return fmt.Errorf("read root: %w", err)
		}
		carried, err := os.ReadFile(filepath.Join(dir, v.Name, "ca.pem"))
		if err != nil {
			return fmt.Errorf("read root: %w", err)
		}
		if !bytes.Equal(root, carried) {
			wrong = append(wrong, fmt.Errorf("%s/ca.pem is not %s/cert.pem", v.Name, v.Issuer))
		}
	}
	return errors.Join(wrong...)
}

func (v Volume) files() []string {
	files := append([]string{"cert.pem", "key.pem"}, v.Extra...)
	if v.Issuer != "" {
		files = append(files, "ca.pem")
	}
	return files
}

func (v Volume) checkFile(dir, name string) error {
	info, err := os.Lstat(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	if info.Mode() != mode(name) {
		return fmt.Errorf("%s: mode %v, must be %v", name, info.Mode(), mode(name))
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: owner unknown", name)
	}
	if int(stat.Uid) != v.Owner || int(stat.Gid) != v.Owner {
		return fmt.Errorf("%s: owner %d:%d, must be %d:%d", name, stat.Uid, stat.Gid, v.Owner, v.Owner)
	}
	return nil
}

// checkPair holds the key against the certificate, and the certificate against its issuer, which is itself for a root.
func (v Volume) checkPair(dir string) error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		return err
	}
	issuer := "ca.pem"
	if v.Issuer == "" {
		issuer = "cert.pem"
	}
	root, err := readCert(filepath.Join(dir, issuer))
	if err != nil {
		return err
	}
	if !root.IsCA {
		return fmt.Errorf("%s: not the certificate of a CA", issuer)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err
}

func readCert(path string) (*x509.Certificate, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s: not PEM", path)
	}
	return x509.ParseCertificate(block.Bytes)
}
