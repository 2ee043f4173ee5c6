/* Loaded before a redis-server's own libraries: its wall clock is CLOCK_OFFSET seconds away from the system's. libfaketime
 * does not do here: it and jemalloc, with which Redis is built, wait for each other. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {
  static const char *text;
  if (text == NULL) text = getenv("CLOCK_OFFSET");
  return text == NULL ? 0 : atol(text);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  long result = syscall(SYS_gettimeofday, now, zone);
  if (result == 0 && now != NULL) now->tv_sec += offset();
  return (int)result;
}

time_t time(time_t *out) {
  struct timeval now;
  gettimeofday(&now, NULL);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}
