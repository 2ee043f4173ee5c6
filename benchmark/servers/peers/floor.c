// The floor of Linux: events to all readers, one send(2) per reader and turn.
//
// Control on stdin, by line: text is an event's data, an empty line ends the turn, `cpu` asks for
// the CPU time used so far, in microseconds. On stdout: the port, then the answers.
// No features: no history, no keep-alives, and a reader that stops reading stops all others.
#define _GNU_SOURCE
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FDS = 65536, MAX_LINE = 65536, MAX_BODY = 1 << 22, ROOM = 16 };
static const char OPENING[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\n"
    "Transfer-Encoding: chunked\r\n\r\nd\r\n: connected\n\n\r\n";

static int readers[MAX_FDS], count;
static unsigned char matched[MAX_FDS];  // of CRLF CRLF, by descriptor; 4 for a reader
static char body[ROOM + MAX_BODY + 2];  // room for the chunk's size, events, CRLF
static size_t length;                   // of the events

static void send_all(int fd, const char *bytes, size_t left) {
  for (ssize_t sent; left > 0; bytes += sent, left -= sent) {
    if ((sent = send(fd, bytes, left, MSG_NOSIGNAL)) <= 0) return; // Closed; epoll says so too.
  }
}

static void end_turn(void) {
  if (length == 0) return; // A chunk of no bytes would end the response.
  char size[ROOM];
  size_t head = snprintf(size, ROOM, "%zx\r\n", length);
  char *chunk = body + ROOM - head;
  memcpy(chunk, size, head);
  memcpy(body + ROOM + length, "\r\n", 2);
  for (int n = 0; n < count; n++) send_all(readers[n], chunk, head + length + 2);
  length = 0;
}

static void command(const char *line) {
  static long id;
  if (*line == '\0') return end_turn();
  if (strcmp(line, "cpu") == 0) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    long long seconds = used.ru_utime.tv_sec + used.ru_stime.tv_sec;
    printf("%lld\n", seconds * 1000000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    return;
  }
  char *end = body + ROOM + length;
  length += snprintf(end, MAX_BODY - length, "event: n\nid: %ld\ndata: %s\n\n", ++id, line);
  if (length >= MAX_BODY) errx(1, "a turn is too long");
}

static void read_commands(void) {
  static char line[MAX_LINE];
  static size_t filled;
  if (filled == MAX_LINE) errx(1, "a line is too long");
  ssize_t got = read(STDIN_FILENO, line + filled, MAX_LINE - filled);
  if (got <= 0) exit(0);
  filled += got;
  char *from = line;
  for (char *end; (end = memchr(from, '\n', line + filled - from)); from = end + 1) {
    *end = '\0';
    command(from);
  }
  memmove(line, from, filled -= from - line);
}

static void read_request(int fd) {
  char bytes[4096];
  ssize_t got = recv(fd, bytes, sizeof bytes, 0);
  if (got <= 0) {
    for (int n = 0; n < count; n++) if (readers[n] == fd) readers[n] = readers[--count];
    close(fd);
    return;
  }
  if (matched[fd] == 4) return; // A reader has nothing more to say.
  for (ssize_t n = 0; n < got && matched[fd] < 4; n++) {
    matched[fd] = bytes[n] == "\r\n\r\n"[matched[fd]] ? matched[fd] + 1 : bytes[n] == '\r';
  }
  if (matched[fd] < 4) return;
  readers[count++] = fd;
  send_all(fd, OPENING, sizeof OPENING - 1);
}

static void watch(int poll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (fd >= MAX_FDS || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event)) err(1, "descriptor %d", fd);
  matched[fd] = 0;
}

int main(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  int server = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0), one = 1;
  if (bind(server, (void *)&at, size) || listen(server, 4096)) err(1, "listen");
  getsockname(server, (void *)&at, &size);
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("%d\n", ntohs(at.sin_port));
  watch(poll, server);
  watch(poll, STDIN_FILENO);
  for (struct epoll_event ready;;) {
    if (epoll_wait(poll, &ready, 1, -1) != 1) err(1, "epoll_wait");
    int fd = ready.data.fd;
    if (fd == STDIN_FILENO) {
      read_commands();
    } else if (fd != server) {
      read_request(fd);
    } else if ((fd = accept(server, NULL, NULL)) >= 0) {
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      watch(poll, fd);
    }
  }
}
