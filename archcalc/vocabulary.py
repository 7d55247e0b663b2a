"""What other tools call what archcalc has, and what it has not (yet). `archcalc/words.py` asks it.

A table goes from words of other tools, right of `<-`, to what is here: a word of archcalc's own
(of several, by ` | `, the first that fits), or a sentence about it, which has a blank in it. A line
that is indented goes on with the one before. Tests hold every entry to be true: a layer in
backticks can be written like that.
"""

from __future__ import annotations

from archcalc.errors import plain


def _table(text: str) -> dict[str, str]:
    """The table's rows: what is here by each word of others."""
    found = {}
    for line in text.strip().replace("\n  ", "").splitlines():
        here, _, words = line.partition(" <- ")
        found.update(dict.fromkeys(map(plain, words.split()), here.strip()))
    return found


NO_KIND = "there is no such kind yet; docs/layers.md lists those that there are"

KINDS = _table(f"""
conv <- convolution convolutional
here that is `conv: {{out: channels, kernel: 3, groups: channels}}` <- depthwise depthwiseconv
   depthwiseconvolution dwconv
here those are two layers, `conv: {{out: channels, kernel: 3, groups: channels}}` and
   `conv: {{out: 64, kernel: 1}}` <- separable separableconv depthwiseseparableconv
here that is `conv: {{out: 64, kernel: 1}}` <- pointwise pointwiseconv
here that is `conv: {{out: 64, kernel: 3, groups: 4}}` <- groupconv groupedconv
here that is `conv: {{out: 64, kernel: 3, dilation: 2}}` <- dilatedconv atrousconv
convtranspose <- deconv deconvolution transposedconv transposeconv convtransposed upconv
   conv1dtranspose conv2dtranspose conv3dtranspose
linear <- fc dense fullyconnected innerproduct gemm addmm
here that is `maxpool: {{kernel: 2}}` or `avgpool: {{kernel: 2}}` <- pool pooling
maxpool <- maxpooling
avgpool <- averagepool averagepooling avgpooling meanpool
globalavgpool <- gap globalpool globalpooling globalaveragepool globalaveragepooling
   globalavgpooling
globalmaxpool <- gmp globalmaxpooling
adaptiveavgpool <- adaptiveaveragepool adaptiveaveragepooling adaptivepool
adaptivemaxpool <- adaptivemaxpooling
maxunpool <- unpool unpooling maxunpooling
batchnorm <- bn batchnormalization syncbatchnorm
layernorm <- ln layernormalization
groupnorm <- gn groupnormalization
here that is groupnorm with as many groups as channels: `groupnorm: {{groups: channels}}`, or
   without parameters `groupnorm: {{groups: channels, affine: false}}` <- instancenorm
   instancenormalization
lrn <- localresponsenorm localresponsenormalization
name it: `batchnorm`, `layernorm`, `l2norm` or `lrn` <- norm normalization
an activation is called by its function: `relu`, `sigmoid`, `silu`, `gelu` <- activation act
   nonlinearity
relu <- rectifier
silu <- swish
hardswish <- hswish
hardsigmoid <- hsigmoid
leakyrelu <- lrelu leaky
here that is `multiply: {{x: [], factor: [softplus, tanh]}}` <- mish
dropout <- spatialdropout alphadropout featurealphadropout
blocks take it, as survival: see docs/spec.md <- droppath stochasticdepth
there is no such kind yet; `flatten` makes a vector of whatever comes <- reshape view squeeze
here that is `slice: {{axis: 1, start: 2, stop: 30}}`, once for each axis <- crop centercrop
   cropping narrow index select
here that is `split: {{parts: 2}}` <- chunk
here that is `pad: {{padding: 1}}` <- zeropad zeropadding constantpad padding
there is no such kind yet; `pad: {{padding: 1}}` gives the same shapes, with zeros <- reflectionpad
   replicationpad circularpad
here that is `upsample: {{scale: 2}}` <- interpolate interpolation resize upsampling
   upsamplingnearest
here that is `upsample: {{scale: 2, mode: linear}}` <- bilinear upsamplingbilinear
channelshuffle <- shuffle
identity <- noop passthrough
add <- residual shortcut skip sum plus
here that is add or multiply, with branches or `from` <- eltwise elementwise
concat <- concatenate cat merge route
multiply <- mul product
here that is multiply with a branch called gate: see docs/layers.md <- se selayer seblock semodule
   squeezeexcite squeezeexcitation squeezeandexcitation
repeat <- loop
when <- if
for <- foreach
layers of a list follow one another; parts with a name stand under `blocks`: see docs/spec.md <-
   sequential seq block module
here that is concat or add, each branch with a name <- parallel branch branches
{NO_KIND} <- attention selfattention crossattention multiheadattention mha
   scaleddotproductattention transformer transformerencoder transformerdecoder transformerblock
   transformerencoderlayer transformerdecoderlayer positionalencoding positionalembedding
   embedding patchembed patchembedding classtoken
   lstm gru rnn lstmcell grucell rnncell bilstm bidirectional convlstm
   matmul bmm einsum dot subtract sub minus divide div mean maximum minimum pow sqrt exp log
   permute transpose unsqueeze roll stack repeatinterleave tile expand gather scatter
   pixelshuffle pixelunshuffle depthtospace spacetodepth subpixel focus fold unfold im2col
   deformconv deformableconv lppool fractionalmaxpool blurpool roipool roipooling
   rmsnorm weightnorm spectralnorm selu celu glu swiglu geglu softsign softmin logsoftmax
   logsigmoid hardtanh hardshrink softshrink tanhshrink threshold rrelu quickgelu maxout
   gridsample spatialtransformer lambda custom function
""")

FIELDS = _table("""
out <- filters channels outchannels numoutput units features outfeatures outputdim planes
   numfilters nout cout outdim width neurons
it follows from what comes in: leave it out <- inchannels infeatures inplanes inputchannels
   inputdim indim cin nin numfeatures numchannels normalizedshape
kernel <- kernelsize k ksize poolsize filtersize windowsize
kernel | scale <- size
stride <- s strides subsample
padding <- pad pads
padding | rate <- p
rate <- prob probability droprate dropoutrate
dilation <- dilationrate dilations d
groups <- group numgroups g
bias <- usebias
ceil <- ceilmode
count_padding <- countincludepad
switches <- returnindices
extra <- outputpadding
size <- outputsize
scale <- scalefactor
slope <- negativeslope
affine <- elementwiseaffine
shared <- numparameters
parts <- chunks sections
from <- inputs source bottom
from | input <- input
weights <- share
layers <- then body layer network model architecture modules
condition | when <- if
times <- n count num iterations
index <- i variable
input <- inputshape inputsize imagesize shape
settings <- parameters params config hyperparameters variables
arguments | settings <- args
doc <- description notes comment
survival <- dropconnect droppath survivalprob
that is a layer of its own, after this one <- activation act norm normalization batchnorm
no figure depends on it: leave it out <- eps epsilon momentum trackrunningstats inplace init
   initializer kernelinitializer biasinitializer weightinit regularizer kernelregularizer
   dataformat paddingmode trainable
""")

# Names in expressions.
NAMES = _table("""
channels <- inchannels cin inputchannels infeatures inplanes c
height <- h hin
width <- w win
""")

COLUMNS = _table("""
mult_adds <- macs mac gmacs mmacs madds madd multadd muladds multiplyadds multiplyaccumulates
flops <- flop gflops mflops gflop floatingpointoperations
here that is mult_adds, as most papers mean it, or flops <- ops operations gops
params <- parameters param numparams nparams trainableparams trainableparameters
buffers <- nontrainableparams nontrainable
here that is params, or weight_bytes in bytes <- weights
params_share <- paramshare paramspercent
share <- percent macsshare multaddsshare
here that is live_bytes at inference, saved_bytes in training, or weight_bytes <- memory mem ram
output_bytes <- activations activation activationbytes
weight_bytes <- modelsize paramsize paramssize
bytes_moved <- memoryaccess memreadwrite bytes traffic
arithmetic_intensity <- intensity opsperbyte
output <- outputshape outshape outputsize outsize shape
input <- inputshape inshape inputsize insize
kernel <- kernelsize ksize
stride <- strides
name <- layer layername module
receptive_field <- rf field receptive rfsize fieldsize
rf_stride <- jump
latency | archcalc profile measures it <- time ms seconds latency
throughput | archcalc profile measures it <- throughput fps
accuracy <- top1
depth <- layers numlayers
""")

# What a network's name begins with that archcalc doesn't bring.
ABSENT_NETWORKS = tuple(
    _table("""
absent <- efficientnet efficientdet unet vit deit swin convnext yolo mobilenetv3 mobilevit
   shufflenet mnasnet regnet resnest retinanet maskrcnn fcn deeplab segnet pspnet hrnet xception
   nasnet darknet ghostnet wideresnet wrn rfcn fcos detr centernet cornernet fasterrcnnresnet crnn
   dcgan stylegan vae bert gpt llama clip transformer lstm mlpmixer
""")
)
NO_NETWORK = (
    "archcalc doesn't bring it; archcalc list shows all networks, docs/spec.md how to write one"
)

NETWORKS = _table("""
here that is vgg11@batch_norm=true <- vgg11bn
here that is vgg13@batch_norm=true <- vgg13bn
here that is vgg16@batch_norm=true <- vgg16bn
here that is vgg19@batch_norm=true <- vgg19bn
resnet50 <- resnet50v1
here that is resnet50@stride_on_3x3=true <- resnet50v15
here that is resnet101@stride_on_3x3=true <- resnet101v15
here that is resnet152@stride_on_3x3=true <- resnet152v15
seresnet50 <- senet50
""")

SETTINGS = _table("""
classes <- numclasses nclasses nc numlabels
alpha <- width widthmult widthmultiplier multiplier
resolution <- imagesize inputsize imgsize
growth <- growthrate
units <- blocks
it is an option: --input 3x192x192 <- input inputshape
it is an option: --batch 8 <- batch batchsize
it is an option: --dtype float16 <- dtype precision
""")

DTYPES = _table("""
float64 <- fp64 double f64
float32 <- fp32 float f32 single full tf32
float16 <- fp16 f16 half
bfloat16 <- bf16
float8 <- fp8 f8
int8 <- int i8 uint8 byte char quint8 qint8
""")

FORMATS = _table("""
markdown <- md gfm
latex <- tex
terminal <- txt text plain table console rich
csv <- xlsx xls excel tsv pandas dataframe
json <- yaml yml jsonl
there is no such format yet; csv and json are for other programs, markdown is for texts <- html htm
   svg png jpg pdf docx xml dot graphviz
""")

MODEL_FORMATS = _table("""
state-dict <- pt pth torch pytorch weights
pt2 <- exported exportedprogram torchexport
there is no such format; onnx is what most other tools read <- torchscript jit ts tflite tensorflow
   tf keras h5 coreml mlmodel tensorrt safetensors openvino pb savedmodel
""")

DEVICES = _table("""
here that is cuda, where PyTorch finds one <- gpu nvidia
here that is mps, where PyTorch finds one <- metal apple
""")

OPTIMIZERS = _table("""
adam <- adamw nadam radam adamax lamb
momentum <- rmsprop adagrad lion nesterov lars
sgd <- none plain
""")

TOOLS = _table("""
torch <- pytorch flopcounter flopcountermode torchflops
thop <- opcounter pytorchopcounter
torchinfo <- torchsummary torchsummaryx summary
fvcore <- flopcountanalysis detectron2
paper <- papers printed
""")

COMMANDS = _table("""
table <- summary summarize print flops macs count params layers analyze analyse tabulate
explain <- derive why derivation
profile <- benchmark bench time latency speed measure
verify <- test witness
validate <- check lint
build <- export onnx convert save
compare <- diff versus vs
show <- describe card cat info
list <- ls networks models search zoo
reproduce <- paper papers published errata
memory <- mem ram vram
report <- study document write
it is an option: archcalc --help <- help
it is an option: archcalc --version <- version
there is no such command yet; archcalc --help lists those that there are <- sweep plot draw
   visualize graph view import init new train
""")

# Endings of files that describe networks otherwise than specs do.
FILES = {
    ".onnx": "an ONNX model",
    ".py": "Python code",
    ".ipynb": "a notebook",
    ".pt": "PyTorch weights",
    ".pth": "PyTorch weights",
    ".pt2": "a program of torch.export",
    ".bin": "weights",
    ".ckpt": "a checkpoint",
    ".safetensors": "weights",
    ".h5": "a Keras model",
    ".hdf5": "a Keras model",
    ".keras": "a Keras model",
    ".pb": "a TensorFlow model",
    ".tflite": "a TensorFlow Lite model",
    ".mlmodel": "a Core ML model",
    ".prototxt": "a Caffe model",
    ".caffemodel": "Caffe weights",
    ".cfg": "a Darknet model",
    ".json": "JSON",
}
ZOOS = ("torchvision", "timm", "transformers", "keras", "torch", "hf", "huggingface", "tensorflow")
