<?php
// One of a crowd: puts events in, some of them rolled back: writer.php DB NAME COUNT SEED

[, $path, $name, $count, $seed] = $argv;
mt_srand((int) $seed);
$db = new PDO("sqlite:$path");
$db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
$db->setAttribute(PDO::ATTR_TIMEOUT, 60);
$held = $db->prepare("select count(*), ifnull(max(number), 0) from ledger where writer = ?");
$held->execute([$name]);
[$done, $number] = $held->fetch(PDO::FETCH_NUM);
$held->closeCursor();
$toLedger = $db->prepare("insert into ledger values (?, ?, ?)");
$toOutbox = $db->prepare("insert into hookbox_outbox (type, key, body) values ('crowd', ?, ?)");

while ($done < $count) {
    $db->exec("begin immediate");
    $size = min(mt_rand(1, 20), $count - $done);
    for ($index = 0; $index < $size; $index++) {
        $number++;
        $key = "$name-$number-$seed";
        $toLedger->execute([$name, $number, $key]);
        $toOutbox->execute([$key, json_encode(["key" => $key])]);
    }
    if (mt_rand(1, 100) <= 20) {
        $db->exec("rollback");
        $number -= $size;
        $seed += 1000;
    } else {
        $db->exec("commit");
        $done += $size;
    }
}
