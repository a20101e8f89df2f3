/* train.h: the verb train. */
#ifndef TGD_TRAIN_H
#define TGD_TRAIN_H

/* Calls: Local. argv[0] is the verb; returns the exit status. */
int tgd_train(int argc, char **argv);

#endif
