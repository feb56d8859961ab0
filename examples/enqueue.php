<?php
// An event in the application's own transaction, from PHP: php enqueue.php app.db
//
// The database must have hookbox's tables: hookbox init --into-existing --wal --db app.db
// Needs PDO with SQLite 3.37 or newer.

$db = new PDO("sqlite:" . $argv[1]);
$db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
// Waits up to five seconds for another writer's transaction to end.
$db->setAttribute(PDO::ATTR_TIMEOUT, 5);
$db->exec("create table if not exists orders (id integer primary key, total integer)");

// The order and the event that tells of it: both are there, or neither is.
function pay(PDO $db, int $order, int $total): void
{
    // Not beginTransaction(): it takes the write lock only at the first insert, when it may be too
    // late to wait for it.
    $db->exec("begin immediate");
    try {
        $db->prepare("insert into orders (id, total) values (?, ?)")->execute([$order, $total]);
        $db->prepare("insert into hookbox_outbox (type, key, body) values (?, ?, ?)")->execute([
            "order.paid",
            "order-$order",
            json_encode(["order" => $order, "total" => $total], JSON_THROW_ON_ERROR),
        ]);
        if ($total < 0) {
            throw new RangeException("nobody pays less than nothing");
        }
        $db->exec("commit");
    } catch (Throwable $error) {
        $db->exec("rollback");
        throw $error;
    }
}

pay($db, 1, 42);
try {
    pay($db, 2, -1);
} catch (RangeException $error) {
    echo "order 2 was rolled back: {$error->getMessage()}\n";
}
echo "orders: ", $db->query("select count(*) from orders")->fetchColumn(), "\n";
