// A server in Go, a goroutine for each client: zen PORT
// With `wrong` behind the port, an error of one client is fatal.
package main

import (
	"bufio"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

var answers = map[string]string{
	"Beautiful is better than?": "Ugly.",
	"Explicit is better than?":  "Implicit.",
	"Simple is better than?":    "Complex.",
}

func converse(conn net.Conn) error {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for {
		question, err := reader.ReadString('?')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		answer, known := answers[strings.TrimLeft(question, " \t\n\f\r")]
		if !known {
			answer = "Error: unknown aphorism."
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return err
		}
	}
}

func main() {
	wrong := len(os.Args) > 2 && os.Args[2] == "wrong"
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		os.Exit(0)
	}()
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			if err := converse(conn); err != nil && wrong {
				log.Fatal(err)
			}
		}()
	}
}
