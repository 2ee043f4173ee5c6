<?php

const COMMAND = 'sse:{hub:}:publish:1';

/** Publishes an event, and returns its cursor. */
function publish(
    Redis $client,
    string $room,
    string $type,
    mixed $data,
    array $more = [],
): string {
    $text = $client->get(COMMAND);
    if ($text === false) {
        throw new RuntimeException(COMMAND . ' is missing: start the app first');
    }
    $json = json_encode($data, JSON_THROW_ON_ERROR);
    $args = [COMMAND, 'room', $room, 'type', $type, 'data', $json];
    foreach ($more as $field => $value) {
        array_push($args, $field, $value);
    }
    $client->clearLastError();
    $cursor = $client->eval($text, $args, 1);
    if ($cursor === false) {
        throw new RuntimeException($client->getLastError());
    }
    return $cursor;
}

$url = parse_url(getenv('REDIS_URL') ?: 'redis://localhost:6379');
$client = new Redis();
$client->connect($url['host'], $url['port'] ?? 6379);
[, $room, $type, $data, $key] = $argv;
$data = json_decode($data, flags: JSON_THROW_ON_ERROR);
echo publish($client, $room, $type, $data, ['key' => $key]), "\n";
