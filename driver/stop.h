/* stop.h: signals that ask a run to end. */
#ifndef TGD_STOP_H
#define TGD_STOP_H

/* Calls: Local. From now on SIGINT, SIGTERM, SIGHUP and SIGUSR1 are counted. */
void tgd_stop_watch(void);
int tgd_stop_signal(void); /* the last one; 0: none came */
int tgd_stop_count(void);

#endif
