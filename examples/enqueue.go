// An event in the application's own transaction, from Go: go run enqueue.go app.db
//
// The database must have hookbox's tables: hookbox init --into-existing --wal --db app.db
// Needs github.com/mattn/go-sqlite3, which brings its own SQLite (Debian:
// golang-github-mattn-go-sqlite3-dev).
package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	_ "github.com/mattn/go-sqlite3"
)

// pay adds the order and the event that tells of it: both are there, or neither is.
func pay(db *sql.DB, order, total int) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing is left to roll back after a commit
	if _, err := tx.Exec("insert into orders (id, total) values (?, ?)", order, total); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]int{"order": order, "total": total})
	if err != nil {
		return err
	}
	_, err = tx.Exec("insert into hookbox_outbox (type, key, body) values (?, ?, ?)",
		"order.paid", fmt.Sprintf("order-%d", order), string(body))
	if err != nil {
		return err
	}
	if total < 0 {
		return errors.New("nobody pays less than nothing")
	}
	return tx.Commit()
}

func main() {
	// Takes the write lock when a transaction begins, and waits up to five seconds for it.
	db, err := sql.Open("sqlite3", "file:"+os.Args[1]+"?_txlock=immediate&_busy_timeout=5000")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("create table if not exists orders (id integer primary key, total integer)"); err != nil {
		log.Fatal(err)
	}
	if err := pay(db, 1, 42); err != nil {
		log.Fatal(err)
	}
	if err := pay(db, 2, -1); err != nil {
		fmt.Println("order 2 was rolled back:", err)
	}
	var orders int
	if err := db.QueryRow("select count(*) from orders").Scan(&orders); err != nil {
		log.Fatal(err)
	}
	fmt.Println("orders:", orders)
}
