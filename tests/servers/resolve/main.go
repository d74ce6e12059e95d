// Asks one name server through Go's resolver, as a program without cgo does, and prints what it was told as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sort"
	"time"
)

type answer struct {
	Hosts    []string `json:"hosts"`
	Srv      []string `json:"srv"`
	NotFound bool     `json:"not_found"`
	Error    string   `json:"error"`
}

// Usage: resolve <host:port of the name server> host|srv <name>
func main() {
	server, kind, name := os.Args[1], os.Args[2], os.Args[3]
	resolver := &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, network, server)
		},
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	told := answer{Hosts: []string{}, Srv: []string{}}
	var err error
	if kind == "srv" {
		var records []*net.SRV
		_, records, err = resolver.LookupSRV(ctx, "", "", name)
		for _, one := range records {
			told.Srv = append(told.Srv, fmt.Sprintf("%d %d %d %s", one.Priority, one.Weight, one.Port, one.Target))
		}
		sort.Strings(told.Srv)
	} else {
		told.Hosts, err = resolver.LookupHost(ctx, name)
		sort.Strings(told.Hosts)
	}
	if err != nil {
		told.Error = err.Error()
		found, is := err.(*net.DNSError)
		told.NotFound = is && found.IsNotFound
	}
	json.NewEncoder(os.Stdout).Encode(told)
}
