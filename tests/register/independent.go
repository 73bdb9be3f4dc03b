// Independent verifies files of a Valiza log with what others wrote: golang.org/x/mod/sumdb (note and tlog, which C2SP's formats come from) and the
// signatures of Go's standard library. It shares nothing with Valiza but C2SP's pages.
//
//	independent VKEYS NOTE                     every key in VKEYS, one a line, signed or cosigned NOTE
//	independent VKEYS PROOF LEAF               and the bytes of LEAF are in the log, as the tlog-proof says
//	independent VKEYS REQUEST OLD-NOTE old     and the log goes on from OLD-NOTE, as the request of tlog-witness says
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/mldsa"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// cosigner verifies lines of tlog-cosignature, of one key.
type cosigner struct {
	name   string
	hash   uint32
	verify func(text, signature []byte) bool
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(text, signature []byte) bool {
	return len(signature) > 8 && c.verify(text, signature)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	check(err)
	return data
}

// verifier makes a verifier of a vkey: of type 1 by x/mod itself, of types 4 and 6 as tlog-cosignature says.
func verifier(vkey string) note.Verifier {
	parts := strings.SplitN(vkey, "+", 3)
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	check(err)
	key, err := base64.StdEncoding.DecodeString(parts[2])
	check(err)
	name := parts[0]
	switch key[0] {
	case 1:
		v, err := note.NewVerifier(vkey)
		check(err)
		return v
	case 4:
		return cosigner{name, uint32(hash), func(text, signature []byte) bool {
			at := binary.BigEndian.Uint64(signature)
			return ed25519.Verify(key[1:], fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text), signature[8:])
		}}
	case 6:
		public, err := mldsa.NewPublicKey(mldsa.MLDSA44(), key[1:])
		check(err)
		return cosigner{name, uint32(hash), func(text, signature []byte) bool {
			origin, size, root := head(string(text))
			message := append([]byte("subtree/v1\n\x00"), byte(len(name)))
			message = append(append(message, name...), signature[:8]...)
			message = append(append(message, byte(len(origin))), origin...)
			message = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(message, 0), uint64(size))
			return mldsa.Verify(public, append(message, root[:]...), signature[8:], nil) == nil
		}}
	}
	check(fmt.Errorf("a vkey of type %d", key[0]))
	return nil
}

// head reads the three lines of a checkpoint.
func head(text string) (string, int64, tlog.Hash) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		check(fmt.Errorf("%d lines", len(lines)))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return lines[0], size, root
}

// open verifies that every key signed, and returns the head.
func open(data []byte, verifiers []note.Verifier) (int64, tlog.Hash) {
	opened, err := note.Open(data, note.VerifierList(verifiers...))
	check(err)
	if len(opened.Sigs) != len(verifiers) {
		check(fmt.Errorf("%d of %d keys signed", len(opened.Sigs), len(verifiers)))
	}
	origin, size, root := head(opened.Text)
	fmt.Printf("%s: %d leaves, %d signatures\n", origin, size, len(opened.Sigs))
	return size, root
}

// lines reads the number behind word, and the hashes of a proof.
func lines(data []byte, word string) (int64, []tlog.Hash) {
	found := strings.Split(string(data), "\n")
	number, err := strconv.ParseInt(strings.TrimPrefix(found[0], word), 10, 64)
	check(err)
	var hashes []tlog.Hash
	for _, line := range found[1:] {
		hash, err := tlog.ParseHash(line)
		check(err)
		hashes = append(hashes, hash)
	}
	return number, hashes
}

func main() {
	var verifiers []note.Verifier
	for _, vkey := range strings.Fields(string(read(os.Args[1]))) {
		verifiers = append(verifiers, verifier(vkey))
	}
	data := read(os.Args[2])
	if len(os.Args) == 3 {
		open(data, verifiers)
		return
	}
	above, checkpoint, _ := bytes.Cut(data, []byte("\n\n"))
	size, root := open(checkpoint, verifiers)
	if len(os.Args) == 4 {
		index, hashes := lines(bytes.TrimPrefix(above, []byte("c2sp.org/tlog-proof@v1\n")), "index ")
		check(tlog.CheckRecord(hashes, size, root, index, tlog.RecordHash(read(os.Args[3]))))
		fmt.Printf("leaf %d is in it\n", index)
		return
	}
	old, hashes := lines(above, "old ")
	oldSize, oldRoot := open(read(os.Args[3]), verifiers)
	if old != oldSize {
		check(fmt.Errorf("from %d, not %d", old, oldSize))
	}
	check(tlog.CheckTree(hashes, size, root, old, oldRoot))
	fmt.Printf("it goes on from %d leaves\n", old)
}
