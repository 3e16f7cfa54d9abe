// Package model is the mathematics of autoencoders with one hidden layer:
// parameters, cost and gradient, training, encoding, and the model file. Rows
// go in as they are stored, []float32 comes out.
//
// [New] makes a model from a [Config], [NewTrainer] trains it, [NewEncoder]
// computes codes and reconstructions, [NewEvaluator] measures it,
// [Model.WriteTo] and [Read] keep it, and [Trainer.WriteCheckpoint] and
// [ReadCheckpoint] a training that is not over. [NewAccumulator] is for those
// who do their own training: it gives the exact cost and gradient over all
// rows. [NewValidator] measures rows that are held out of training.
// [NewPreprocess] settles what becomes of stored values first, and [Statistics]
// learns it where it depends on the rows. What each of these gathers can be
// merged across processes.
//
// # The cost
//
// There are n inputs, h hidden units and m rows. x (m,n) is the clean row, x~
// what the encoder is given, which is x or in training its corrupted form. The
// parameters are W1 (h,n), b1 (h), W2 (n,h), b2 (n). Then
//
//	z = W1 x~ + b1    a = f(z)    u = W2 a + b2    y = g(u)
//
//	J = (1/m) sum_k L(y_k, x_k) + (lambda/2) (|W1|^2 + |W2|^2)
//	    + beta sum_l KL(rho || rhohat_l) + (gamma/m) sum_k |da_k/dx~_k|^2
//
// with a the code, L half the squared error or the cross-entropy, rhohat_l the
// mean of unit l's codes over the rows, taken through (1+a)/2 where f is tanh,
// and
//
//	KL = rho log(rho/rhohat) + (1-rho) log((1-rho)/(1-rhohat))
//	c  = -rho/rhohat + (1-rho)/(1-rhohat)
//
// with rhohat kept within [1e-7, 1-1e-7]. The last norm is Frobenius'. Tied
// weights are W2 = W1 transposed: one matrix, decayed once. Biases are never
// decayed. Sparse, denoising and contractive autoencoders are this cost with
// different terms on; [Config.Validate] says what combines. Within L an
// [Emphasis] weighs the components that were corrupted against the others.
//
// Weights begin at random, by the seed. Biases begin at 0, but b1, where the
// sparsity term is on, at the z for which a = f(z) is rho: log(rho/(1-rho)),
// for tanh half of it.
//
// A k-sparse code (Makhzani and Frey, 2014) is linear. Only the k largest z of
// a row stay, with their sign, and the others become 0; among equals the lowest
// index stays. The gradient flows through what stays, but not through a z of
// exactly 0. Mini-batches keep four times k codes in the first epoch, from
// there linearly fewer, and k from half the planned epochs on; with one epoch
// planned, and in full batches, it is k throughout. A unit that mini-batches
// have not kept for 1,024 rows gets its largest z of each batch back, until a
// row keeps it again; [Health] does not count that. Encoding and evaluation
// keep round(alpha k). See [Config].
//
// Of the five matrix products of a step only that of the encoder is dense where
// at most a quarter of the codes is kept. The others go over the codes that are
// not 0: u is a sum of rows of W2 transposed, dJ/dz a dot product for each
// code, and the gradient of a unit's weights a sum over the rows that keep it,
// in their order.
//
// Weights and products are float32. Means over rows, costs and everything that
// is merged are float64.
//
// # Guarantees
//
// Equal settings, seeds and rows in equal order give equal bits, on any number
// of processors and however the rows are split over calls. That holds among
// machines whose processors run the same kernels. Noise depends on the seed,
// the epoch and a row's number, never on its neighbours. Under [LBFGS], and on
// rows held out of training, the epoch in the key is 0: one fixed sample of the
// noise, so that the cost is one function of the parameters.
//
// Model files of version 1 stay readable, and the names in them keep their
// meaning.
//
// # The model file
//
// It is a safetensors file: 8 bytes with the length of the header, the header,
// which is JSON, and the tensors, all little-endian. The tensors, of type F32,
// are encoder.weight (h,n), encoder.bias (h), decoder.weight (n,h) unless
// weights are tied, decoder.bias (n) and what preprocessing has learned:
// preprocess.mean (n), preprocess.scale (n), preprocess.whiten (n,n). The
// metadata in the header are texts:
//
//	format     "aefeat"
//	version    "1"
//	config     JSON: settings, preprocessing, binding, shape, history, parent
//	checksum   SHA-256 in hex over settings and tensors
//
// Keys and optional tensors under "optimizer." that a reader does not know are
// ignored. The checksum is of lines of text, each ended by a newline: "config",
// a space and the SHA-256 in hex of the text config; and for each tensor, in
// the byte order of their names, its name, dtype, sizes with commas between,
// and the SHA-256 in hex of its bytes, with a space between. Where the file has
// a checksum, [Read] takes it for damaged unless that is right. Files from
// before there were checksums have none.
//
// A model's hash is the SHA-256 of the bytes of its file, which [ReadInfo]
// tells. It is what parent holds, of the file that initial weights came from.
//
// # The checkpoint file
//
// It is the file of the model as it is, with the state of the training beside
// it, and [Read] takes it for the model. The state is all that the trainer
// cannot compute anew, so that the training goes on to the same bits. The
// metadata have two more texts:
//
//	checkpoint           JSON: version (1), kernels, options, host
//	checkpoint_checksum  SHA-256 in hex over texts checkpoint and checksum
//
// options are the [TrainOptions], host is what the program keeps. The checksum
// is of two lines, each ended by a newline: "checkpoint", a space and the
// SHA-256 in hex of the text checkpoint; "checksum", a space and the text
// checksum, which covers all tensors. Tensors of the state have names under
// "optimizer.". p is the number of parameters, and what has no shape here is a
// single number:
//
//	host.NAME                          U8       data of the program
//	out_of_patience                    I64      1: held-out rows have ended it
//	best.parameters                    F32 (p)  with TrainOptions.Validate
//	best.epoch, best.cost              I64, F64
//	steps, epochs                      I64      that are over
//	first, second                      F32 (p)  Adam's moments; SGD's velocity
//	guard.started, guard.scale         I64, F64 what cost is healthy
//	epoch.rows, epoch.activation       I64, F64 sums of the running epoch
//	epoch.cost.TERM                    F64
//	epoch.units                        F64 (h)
//	epoch.steps_of_first, steps_before I64      in the first, before the running
//	rhohat.means, rhohat.weight        F64 (h), F64; with a sparsity term
//	idle                               I64 (h)  rows without a unit; k-sparse
//	waiting, waiting.numbers           I64, I64 (k)  preprocessed rows that wait
//	waiting.rows                       F32 (k,n)     for their batch
//
// and under [LBFGS], of its last iterate, its memory of k pairs, the running
// line, which is replayed from its trials, and the search as a whole
//
//	search.x, search.gradient          F64 (p)
//	search.cost                        F64
//	search.pairs                       I64
//	search.steps, search.changes       F64 (k,p)
//	search.step, search.trials         F64, I64
//	search.trial_costs, trial_slopes   F64 (trials)
//	search.length, search.recent       F64, I64
//	search.recent_costs                F64 (recent)
//	search.iterations, evaluations     I64
//	search.fresh, search.stop          I64
//
// Tensors of 8 bytes an element lie first in the file and those of 1 last, so
// that all are aligned. Another version is refused: a checkpoint is for going
// on with a training, and the model in it for keeping.
//
// # Sums across processes
//
// An [Accumulator], a [Validator], an [Evaluator] and [Statistics] are sums
// over rows. Each process gathers those of its rows, MarshalBinary makes bytes
// of them, and elsewhere UnmarshalBinary and Merge put them together. Rows keep
// the numbers that they have in the whole, which key the noise. A [Trainer]
// makes exact full-batch steps and L-BFGS iterations of merged sums, as
// [Trainer.Begin] and [Trainer.AddSums] describe. The bytes are words of eight
// bytes, integers and IEEE 754 doubles, all little-endian:
//
//	"aefsums2"    magic, and the version of the layout
//	kind          "gradient", "cost    ", "evaluate" or "moments "
//	fingerprint   of settings, preprocessing, weights and the epoch of noise
//	sums          as below
//	checksum      CRC-64 (ECMA) of all bytes before it
//
//	gradient      m, sum of L, sum of |x|^2, then with x~ for the noisy row
//	              the gradient's sums over rows, by W1 (h,n), b1 (h), W2 (n,h)
//	              unless tied, b2 (n); A (h); with a sparsity term S (h,n) and
//	              s (h); with contraction P (h): see Accumulator
//	cost          m, sum of L, A (h), with contraction P (h)
//	evaluate      m, sum of L, sum of |y-x|^2, sum of |x|^2, sum of x (n),
//	              A (h), with contraction P (h), the least and the largest code
//	              (h, h), rows on which a unit was active, or near an end (h, h)
//	moments       m, mean (n), squared distances from it (n), for zca their
//	              products (n,n): see Statistics
//
// [Sums] are such bytes with the shards that they are of, and merge without a
// model, also by [MergeSums]. Before the bytes they have "aefshar1", the first
// shard, how many there are, the number of the first row and the one behind the
// last (-1 both where no noise is drawn by them, or nobody counted), the epoch of
// noise, n and h (0 for moments), and behind them a checksum as above. [Merger]
// has the tree that makes equal bytes of equal sums. A model that sums are to be gathered
// at tells the epoch of the noise as noise_epoch in its file's config.
//
// m and the counts of rows are integers. Bytes of another version, kind or
// fingerprint, and damaged ones, are errors that change nothing. A fingerprint
// has meaning for one version of this package alone.
package model
