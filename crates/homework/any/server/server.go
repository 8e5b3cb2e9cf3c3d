// The service, in Go 1.19 or later, with the standard library only.
//
//	go build -o target/server . && target/server --port 1060
package main

import (
	// BEGIN SOLUTION wire
	"bytes"
	"errors"
	// END SOLUTION
	"flag"
	"fmt"
	// BEGIN SOLUTION limit
	"io"
	// END SOLUTION
	"net"
	"os"
	// BEGIN SOLUTION process
	"os/signal"
	// END SOLUTION
	// BEGIN SOLUTION wire
	"strconv"
	"strings"
	// END SOLUTION
	// BEGIN SOLUTION process
	"sync"
	"syscall"
	// END SOLUTION
	"time"
)

var questionEnd byte = '?'

var answers = map[string]string{
	"Beautiful is better than?": "Ugly.",
	"Explicit is better than?":  "Implicit.",
	"Simple is better than?":    "Complex.",
}
var unknown = "Error: unknown aphorism."

// A client can ask with one byte, a lone `?`, and that answer has 24 bytes. So
// the answers to one receive have less than 64 KiB.
const receivedBytesMax = 2560

// BEGIN SOLUTION limit
var tooLong = "Error: question too long."
var questionBytesMax = 1024

// After a refusal, at most this much is read and thrown away, for at most this
// long.
const discardedBytesMax = 16 << 20
const discardedTimeMax = 2 * time.Second

// END SOLUTION
// BEGIN SOLUTION process
// The contract allows 2 s.
const stopTimeMax = 1800 * time.Millisecond

// Two signals within this count as one.
const againTimeMin = 100 * time.Millisecond

// END SOLUTION
var port = flag.Int("port", 1060, "the port")
var think = flag.Int("think", 0, "how many milliseconds an answer takes")
var idleTimeout = flag.Float64("idle-timeout", 0,
	"drop a client that is idle for this many seconds")

func main() {
	flag.Parse()
	// BEGIN SOLUTION wire
	readDialect("dialect.txt")
	// END SOLUTION
	address := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: *port}
	listener, err := net.ListenTCP("tcp4", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	serve(listener)
}

// BEGIN SOLUTION wire
// An author tests this solution with other words than the contract's. They are
// the lines of this file, if it exists.
func readDialect(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return
	}
	words := strings.Split(string(text), "\n")
	mark, end := words[0], words[1]
	questionEnd = mark[0]
	questionBytesMax, _ = strconv.Atoi(words[2])
	answers = map[string]string{}
	for index, word := range []string{"Beautiful", "Explicit", "Simple"} {
		answers[word+" is better than"+mark] = words[3+index] + end
	}
	unknown, tooLong = words[6]+end, words[7]+end
}

// END SOLUTION
func getAnswer(question []byte) string {
	time.Sleep(time.Duration(*think) * time.Millisecond)
	if answer, known := answers[string(question)]; known {
		return answer
	}
	return unknown
}

// BEGIN SOLUTION crowd
func serve(listener *net.TCPListener) {
	crowd := crowd{conns: map[*net.TCPConn]bool{}}
	go crowd.stopWhenTold(listener)
	for {
		conn, err := listener.AcceptTCP()
		switch {
		case err == nil:
			crowd.serve(conn)
		case errors.Is(err, net.ErrClosed):
			crowd.wait()
			return
		default:
			// Out of descriptors. Clients that wait stay in the backlog.
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// STARTER: func serve(listener *net.TCPListener) {
// STARTER: 	for {
// STARTER: 		conn, err := listener.AcceptTCP()
// STARTER: 		if err != nil {
// STARTER: 			continue
// STARTER: 		}
// STARTER: 		// One Read() need not return exactly one question.
// STARTER: 		question := make([]byte, receivedBytesMax)
// STARTER: 		n, _ := conn.Read(question)
// STARTER: 		fmt.Fprint(conn, getAnswer(question[:n]))
// STARTER: 		conn.Close()
// STARTER: 	}
// STARTER: }
// END SOLUTION
// BEGIN SOLUTION process
// All clients, each with a goroutine of its own.
type crowd struct {
	lock      sync.Mutex
	conns     map[*net.TCPConn]bool
	isLeaving bool
	group     sync.WaitGroup
}

func (crowd *crowd) serve(conn *net.TCPConn) {
	crowd.lock.Lock()
	defer crowd.lock.Unlock()
	crowd.conns[conn] = true
	if crowd.isLeaving {
		conn.CloseRead()
	}
	crowd.group.Add(1)
	go func() {
		defer crowd.group.Done()
		defer crowd.forget(conn)
		handleConversation(conn)
	}()
}

// First forgets the connection, then closes it.
func (crowd *crowd) forget(conn *net.TCPConn) {
	crowd.lock.Lock()
	delete(crowd.conns, conn)
	crowd.lock.Unlock()
	conn.Close()
}

func (crowd *crowd) stopWhenTold(listener *net.TCPListener) {
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	<-signals
	told := time.Now()
	crowd.stop(listener)
	for number := range signals {
		if time.Since(told) >= againTimeMin {
			signal.Reset(number)
			syscall.Kill(syscall.Getpid(), number.(syscall.Signal))
		}
	}
}

// From now on no client is accepted. Every Read() returns what has arrived, and
// then the end of file.
func (crowd *crowd) stop(listener *net.TCPListener) {
	crowd.lock.Lock()
	defer crowd.lock.Unlock()
	crowd.isLeaving = true
	listener.Close()
	for conn := range crowd.conns {
		conn.CloseRead()
	}
}

func (crowd *crowd) wait() {
	done := make(chan bool)
	go func() {
		crowd.group.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(stopTimeMax):
	}
}

// END SOLUTION
// BEGIN SOLUTION ending
// When a client that neither sends nor reads is dropped. The zero time means
// never.
func idleDeadline() time.Time {
	if *idleTimeout <= 0 {
		return time.Time{}
	}
	seconds := time.Duration(*idleTimeout * float64(time.Second))
	return time.Now().Add(seconds)
}

func handleConversation(conn *net.TCPConn) {
	buffer := make([]byte, receivedBytesMax)
	var rest []byte
	conn.SetDeadline(idleDeadline())
	for {
		n, err := conn.Read(buffer)
		if n == 0 || err != nil {
			return
		}
		questions, later, isTooLong := takeQuestions(append(rest, buffer[:n]...))
		if !answerAll(conn, questions) {
			return
		}
		if isTooLong {
			refuse(conn)
			return
		}
		rest = append([]byte(nil), later...)
	}
}

// Without --think, all answers are sent in one piece.
func answerAll(conn *net.TCPConn, questions [][]byte) bool {
	var together bytes.Buffer
	for index, question := range questions {
		together.WriteString(getAnswer(question))
		if *think == 0 && index+1 < len(questions) {
			continue
		}
		conn.SetDeadline(idleDeadline())
		if _, err := together.WriteTo(conn); err != nil {
			return false
		}
		conn.SetDeadline(idleDeadline())
	}
	return true
}

// END SOLUTION
// BEGIN SOLUTION wire
// Returns the complete questions, the beginning of the next one, and whether
// one of them is too long.
func takeQuestions(stream []byte) (questions [][]byte, rest []byte, isTooLong bool) {
	// Not bytes.TrimSpace(), which also skips a vertical tab.
	rest = bytes.TrimLeft(stream, " \t\n\f\r")
	for {
		end := bytes.IndexByte(rest, questionEnd)
		if end+1 > questionBytesMax || end < 0 && len(rest) >= questionBytesMax {
			return questions, nil, true
		}
		if end < 0 {
			return questions, rest, false
		}
		questions = append(questions, rest[:end+1])
		rest = bytes.TrimLeft(rest[end+1:], " \t\n\f\r")
	}
}

// END SOLUTION
// BEGIN SOLUTION limit
// Closes so that the client can read the reason. Closing with unread bytes would
// send a reset, which can destroy the answer on its way.
func refuse(conn *net.TCPConn) {
	conn.SetDeadline(time.Now().Add(discardedTimeMax))
	if _, err := io.WriteString(conn, tooLong); err == nil {
		conn.CloseWrite()
		io.CopyN(io.Discard, conn, discardedBytesMax)
	}
}

// END SOLUTION
