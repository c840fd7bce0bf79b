import { GoTypes } from '../../stdx/template/go-types.ts';

/** Everything between a mode's `container:` and its end; '' for other modes. */
function connected(mode: string): string {
  return mode.startsWith('container:') ? mode.slice('container:'.length) : '';
}

const isContainer = (mode: string) => mode.startsWith('container:');
const isHost = (mode: string) => mode === 'host';

const networkMode = {
  IsNone: (mode: string) => mode === 'none',
  IsDefault: (mode: string) => mode === 'default',
  IsPrivate: (mode: string) => !isHost(mode) && !isContainer(mode),
  IsContainer: isContainer,
  ConnectedContainer: connected,
  IsBridge: (mode: string) => mode === 'bridge',
  IsHost: isHost,
  IsUserDefined: (mode: string) =>
    !['default', 'bridge', 'host', 'none'].includes(mode) && !isContainer(mode),
  UserDefined: (mode: string) => (networkMode.IsUserDefined(mode) ? mode : ''),
  NetworkName: (mode: string): string => {
    if (isContainer(mode)) return 'container';
    return ['bridge', 'host', 'none', 'default'].includes(mode) || networkMode.IsUserDefined(mode)
      ? mode
      : '';
  },
};

const restartName = (is: (name: string) => boolean) => (fields: { Name: { value: string } }) =>
  is(fields.Name.value);

const port = {
  Port: (text: string) => text.split('/')[0]!,
  Proto: (text: string) => text.split('/')[1] || 'tcp',
  Int: (text: string) => Number(text.split('/')[0]),
};

/** `2006-01-02 15:04:05.999999999 +0000 UTC` of an RFC 3339 time. */
function printTime(text: string): string {
  if (text === '') return '0001-01-01 00:00:00 +0000 UTC';
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null) return text;
  const [, day, clock, fraction = '', zone = ''] = match;
  const digits = fraction.replace(/0+$/, '');
  const offset = zone === 'Z' ? '+0000 UTC' : `${zone.replace(':', '')} ${zone.replace(':', '')}`;
  return `${day} ${clock}${digits === '' ? '' : `.${digits}`} ${offset}`;
}

const special = {
  'container.NetworkMode': { methods: networkMode },
  'container.IpcMode': {
    methods: {
      IsPrivate: (mode: string) => mode === 'private',
      IsHost: isHost,
      IsShareable: (mode: string) => mode === 'shareable',
      IsContainer: isContainer,
      IsNone: (mode: string) => mode === 'none',
      IsEmpty: (mode: string) => mode === '',
      Container: connected,
    },
  },
  'container.PidMode': {
    methods: {
      IsPrivate: (mode: string) => !isHost(mode) && !isContainer(mode),
      IsHost: isHost,
      IsContainer: isContainer,
      Container: connected,
    },
  },
  'container.UTSMode': { methods: { IsPrivate: (mode: string) => !isHost(mode), IsHost: isHost } },
  'container.UsernsMode': { methods: { IsPrivate: (mode: string) => !isHost(mode), IsHost: isHost } },
  'container.CgroupnsMode': {
    methods: {
      IsPrivate: (mode: string) => mode === 'private',
      IsHost: isHost,
      IsEmpty: (mode: string) => mode === '',
    },
  },
  'container.CgroupSpec': { methods: { IsContainer: isContainer, Container: connected } },
  'container.Isolation': {
    methods: {
      IsDefault: (isolation: string) => isolation === '' || isolation.toLowerCase() === 'default',
      IsHyperV: (isolation: string) => isolation.toLowerCase() === 'hyperv',
      IsProcess: (isolation: string) => isolation.toLowerCase() === 'process',
    },
  },
  'container.RestartPolicy': {
    methods: {
      IsNone: restartName(name => name === 'no' || name === ''),
      IsAlways: restartName(name => name === 'always'),
      IsOnFailure: restartName(name => name === 'on-failure'),
      IsUnlessStopped: restartName(name => name === 'unless-stopped'),
    },
  },
  'nat.Port': { methods: port },
  'time.Time': {
    methods: { IsZero: (text: string) => text === '' || text.startsWith('0001-01-01T00:00:00Z') },
    print: printTime,
  },
};

/** What Docker's client has in memory when it runs a template: names, order and types of the fields count. */
export const dockerTypes = new GoTypes(
  `
container.NetworkMode string
container.IpcMode string
container.PidMode string
container.UTSMode string
container.UsernsMode string
container.CgroupnsMode string
container.CgroupSpec string
container.Isolation string
container.RestartPolicyMode string
container.LogMode string
container.ContainerState string
nat.Port string
nat.PortSet map[nat.Port]struct{}
nat.PortMap map[nat.Port][]nat.PortBinding
mount.Type string
mount.Propagation string
strslice.StrSlice []string
time.Duration int64

struct{}
time.Time

container.InspectResponse
 *container.ContainerJSONBase
 Mounts []container.MountPoint
 Config *container.Config
 NetworkSettings *container.NetworkSettings
 ImageManifestDescriptor *v1.Descriptor omitempty

container.ContainerJSONBase
 ID string Id
 Created string
 Path string
 Args []string
 State *container.State
 Image string
 ResolvConfPath string
 HostnamePath string
 HostsPath string
 LogPath string
 Name string
 RestartCount int
 Driver string
 Platform string
 MountLabel string
 ProcessLabel string
 AppArmorProfile string
 ExecIDs []string
 HostConfig *container.HostConfig
 GraphDriver storage.DriverData
 SizeRw *int64 omitempty
 SizeRootFs *int64 omitempty

container.State
 Status string
 Running bool
 Paused bool
 Restarting bool
 OOMKilled bool
 Dead bool
 Pid int
 ExitCode int
 Error string
 StartedAt string
 FinishedAt string
 Health *container.Health omitempty

container.Health
 Status string
 FailingStreak int
 Log []*container.HealthcheckResult

container.HealthcheckResult
 Start time.Time
 End time.Time
 ExitCode int
 Output string

container.MountPoint
 Type mount.Type omitempty
 Name string omitempty
 Source string
 Destination string
 Driver string omitempty
 Mode string
 RW bool
 Propagation mount.Propagation

container.Config
 Hostname string
 Domainname string
 User string
 AttachStdin bool
 AttachStdout bool
 AttachStderr bool
 ExposedPorts nat.PortSet omitempty
 Tty bool
 OpenStdin bool
 StdinOnce bool
 Env []string
 Cmd strslice.StrSlice
 Healthcheck *v1.HealthcheckConfig omitempty
 ArgsEscaped bool omitempty
 Image string
 Volumes map[string]struct{}
 WorkingDir string
 Entrypoint strslice.StrSlice
 NetworkDisabled bool omitempty
 MacAddress string omitempty
 OnBuild []string
 Labels map[string]string
 StopSignal string omitempty
 StopTimeout *int omitempty
 Shell strslice.StrSlice omitempty

v1.HealthcheckConfig
 Test []string omitempty
 Interval time.Duration omitempty
 Timeout time.Duration omitempty
 StartPeriod time.Duration omitempty
 StartInterval time.Duration omitempty
 Retries int omitempty

container.HostConfig
 Binds []string
 ContainerIDFile string
 LogConfig container.LogConfig
 NetworkMode container.NetworkMode
 PortBindings nat.PortMap
 RestartPolicy container.RestartPolicy
 AutoRemove bool
 VolumeDriver string
 VolumesFrom []string
 ConsoleSize [2]uint
 Annotations map[string]string omitempty
 CapAdd strslice.StrSlice
 CapDrop strslice.StrSlice
 CgroupnsMode container.CgroupnsMode
 DNS []string Dns
 DNSOptions []string DnsOptions
 DNSSearch []string DnsSearch
 ExtraHosts []string
 GroupAdd []string
 IpcMode container.IpcMode
 Cgroup container.CgroupSpec
 Links []string
 OomScoreAdj int
 PidMode container.PidMode
 Privileged bool
 PublishAllPorts bool
 ReadonlyRootfs bool
 SecurityOpt []string
 StorageOpt map[string]string omitempty
 Tmpfs map[string]string omitempty
 UTSMode container.UTSMode
 UsernsMode container.UsernsMode
 ShmSize int64
 Sysctls map[string]string omitempty
 Runtime string omitempty
 Isolation container.Isolation
 container.Resources
 Mounts []mount.Mount omitempty
 MaskedPaths []string
 ReadonlyPaths []string
 Init *bool omitempty

container.Resources
 CPUShares int64 CpuShares
 Memory int64
 NanoCPUs int64 NanoCpus
 CgroupParent string
 BlkioWeight uint16
 BlkioWeightDevice []*blkiodev.WeightDevice
 BlkioDeviceReadBps []*blkiodev.ThrottleDevice
 BlkioDeviceWriteBps []*blkiodev.ThrottleDevice
 BlkioDeviceReadIOps []*blkiodev.ThrottleDevice
 BlkioDeviceWriteIOps []*blkiodev.ThrottleDevice
 CPUPeriod int64 CpuPeriod
 CPUQuota int64 CpuQuota
 CPURealtimePeriod int64 CpuRealtimePeriod
 CPURealtimeRuntime int64 CpuRealtimeRuntime
 CpusetCpus string
 CpusetMems string
 Devices []container.DeviceMapping
 DeviceCgroupRules []string
 DeviceRequests []container.DeviceRequest
 KernelMemory int64 omitempty
 KernelMemoryTCP int64 omitempty
 MemoryReservation int64
 MemorySwap int64
 MemorySwappiness *int64
 OomKillDisable *bool
 PidsLimit *int64
 Ulimits []*units.Ulimit
 CPUCount int64 CpuCount
 CPUPercent int64 CpuPercent
 IOMaximumIOps uint64
 IOMaximumBandwidth uint64

container.LogConfig
 Type string
 Config map[string]string

container.RestartPolicy
 Name container.RestartPolicyMode
 MaximumRetryCount int

container.DeviceMapping
 PathOnHost string
 PathInContainer string
 CgroupPermissions string

container.DeviceRequest
 Driver string
 Count int
 DeviceIDs []string
 Capabilities [][]string
 Options map[string]string

blkiodev.WeightDevice
 Path string
 Weight uint16

blkiodev.ThrottleDevice
 Path string
 Rate uint64

units.Ulimit
 Name string
 Hard int64
 Soft int64

mount.Mount
 Type mount.Type omitempty
 Source string omitempty
 Target string omitempty
 ReadOnly bool omitempty
 Consistency string omitempty
 BindOptions *mount.BindOptions omitempty
 VolumeOptions *mount.VolumeOptions omitempty
 ImageOptions *mount.ImageOptions omitempty
 TmpfsOptions *mount.TmpfsOptions omitempty

mount.BindOptions
 Propagation mount.Propagation omitempty
 NonRecursive bool omitempty
 CreateMountpoint bool omitempty
 ReadOnlyNonRecursive bool omitempty
 ReadOnlyForceRecursive bool omitempty

mount.VolumeOptions
 NoCopy bool omitempty
 Labels map[string]string omitempty
 Subpath string omitempty
 DriverConfig *mount.Driver omitempty

mount.ImageOptions
 Subpath string omitempty

mount.TmpfsOptions
 SizeBytes int64 omitempty
 Mode uint32 omitempty
 Options [][]string omitempty

mount.Driver
 Name string omitempty
 Options map[string]string omitempty

container.NetworkSettings
 container.NetworkSettingsBase
 container.DefaultNetworkSettings
 Networks map[string]*network.EndpointSettings

container.NetworkSettingsBase
 Bridge string
 SandboxID string
 SandboxKey string
 Ports nat.PortMap
 HairpinMode bool
 LinkLocalIPv6Address string
 LinkLocalIPv6PrefixLen int
 SecondaryIPAddresses []network.Address
 SecondaryIPv6Addresses []network.Address

container.DefaultNetworkSettings
 EndpointID string
 Gateway string
 GlobalIPv6Address string
 GlobalIPv6PrefixLen int
 IPAddress string
 IPPrefixLen int
 IPv6Gateway string
 MacAddress string

network.Address
 Addr string
 PrefixLen int

nat.PortBinding
 HostIP string HostIp
 HostPort string

network.EndpointSettings
 IPAMConfig *network.EndpointIPAMConfig
 Links []string
 Aliases []string
 MacAddress string
 DriverOpts map[string]string
 GwPriority int
 NetworkID string
 EndpointID string
 Gateway string
 IPAddress string
 IPPrefixLen int
 IPv6Gateway string
 GlobalIPv6Address string
 GlobalIPv6PrefixLen int
 DNSNames []string

network.EndpointIPAMConfig
 IPv4Address string omitempty
 IPv6Address string omitempty
 LinkLocalIPs []string omitempty

storage.DriverData
 Data map[string]string
 Name string

image.InspectResponse
 ID string Id
 RepoTags []string
 RepoDigests []string
 Parent string
 Comment string
 Created string
 Container string omitempty
 ContainerConfig *container.Config omitempty
 DockerVersion string
 Author string
 Config *dockerspec.DockerOCIImageConfig
 Architecture string
 Variant string omitempty
 Os string
 OsVersion string omitempty
 Size int64
 VirtualSize int64 omitempty
 GraphDriver storage.DriverData
 RootFS image.RootFS
 Metadata image.Metadata
 Descriptor *v1.Descriptor omitempty
 Manifests []image.ManifestSummary omitempty

dockerspec.DockerOCIImageConfig
 v1.ImageConfig
 dockerspec.DockerOCIImageConfigExt

v1.ImageConfig
 User string omitempty
 ExposedPorts map[string]struct{} omitempty
 Env []string omitempty
 Entrypoint []string omitempty
 Cmd []string omitempty
 Volumes map[string]struct{} omitempty
 WorkingDir string omitempty
 Labels map[string]string omitempty
 StopSignal string omitempty
 ArgsEscaped bool omitempty

dockerspec.DockerOCIImageConfigExt
 Healthcheck *v1.HealthcheckConfig omitempty
 OnBuild []string omitempty
 Shell []string omitempty

image.RootFS
 Type string omitempty
 Layers []string omitempty

image.Metadata
 LastTagTime time.Time omitempty

v1.Descriptor
 MediaType string mediaType
 Digest string digest
 Size int64 size
 URLs []string urls omitempty
 Annotations map[string]string annotations omitempty

image.ManifestSummary
 ID string
 Available bool
 Kind string

network.Inspect
 Name string
 ID string Id
 Created time.Time
 Scope string
 Driver string
 EnableIPv4 bool
 EnableIPv6 bool
 IPAM network.IPAM
 Internal bool
 Attachable bool
 Ingress bool
 ConfigFrom network.ConfigReference
 ConfigOnly bool
 Containers map[string]network.EndpointResource
 Options map[string]string
 Labels map[string]string
 Peers []network.PeerInfo omitempty
 Services map[string]network.ServiceInfo omitempty

network.IPAM
 Driver string
 Options map[string]string
 Config []network.IPAMConfig

network.IPAMConfig
 Subnet string omitempty
 IPRange string omitempty
 Gateway string omitempty
 AuxAddress map[string]string AuxiliaryAddresses omitempty

network.ConfigReference
 Network string

network.EndpointResource
 Name string
 EndpointID string
 MacAddress string
 IPv4Address string
 IPv6Address string

network.PeerInfo
 Name string
 IP string

network.ServiceInfo
 VIP string
 Ports []string
 LocalLBIndex int

swarm.Secret
 ID string
 swarm.Meta
 Spec swarm.SecretSpec

swarm.Meta
 Version swarm.Version omitempty
 CreatedAt time.Time omitempty
 UpdatedAt time.Time omitempty

swarm.Version
 Index uint64 omitempty

swarm.SecretSpec
 swarm.Annotations
 Data []byte omitempty
 Driver *swarm.Driver omitempty
 Templating *swarm.Driver omitempty

swarm.Annotations
 Name string omitempty
 Labels map[string]string

swarm.Driver
 Name string omitempty
 Options map[string]string omitempty

volume.Volume
 ClusterVolume *volume.ClusterVolume omitempty
 CreatedAt string omitempty
 Driver string
 Labels map[string]string
 Mountpoint string
 Name string
 Options map[string]string
 Scope string
 Status map[string]any omitempty
 UsageData *volume.UsageData omitempty


volume.ClusterVolume
 ID string

volume.UsageData
 RefCount int64
 Size int64

context.contextWithTLSListing
 store.Metadata
 TLSMaterial map[string]store.EndpointFiles
 Storage store.StorageInfo

store.Metadata
 Name string omitempty
 Metadata any omitempty
 Endpoints map[string]any omitempty

store.EndpointFiles []string

store.StorageInfo
 MetadataPath string
 TLSPath string

command.DockerContext
 Description string omitempty
 AdditionalFields map[string]any -

docker.EndpointMeta
 Host string omitempty
 SkipTLSVerify bool

system.versionInfo
 Client system.clientVersion
 Server *types.Version

system.clientVersion
 Platform *system.platformInfo omitempty
 Version string omitempty
 APIVersion string ApiVersion omitempty
 DefaultAPIVersion string omitempty
 GitCommit string omitempty
 GoVersion string omitempty
 NodeVersion string omitempty
 Os string omitempty
 Arch string omitempty
 BuildTime string omitempty
 Context string

system.platformInfo
 Name string omitempty

types.Version
 Platform system.platformName
 Components []types.ComponentVersion omitempty
 Version string
 APIVersion string ApiVersion
 MinAPIVersion string omitempty
 GitCommit string
 GoVersion string
 Os string
 Arch string
 KernelVersion string omitempty
 Experimental bool omitempty
 BuildTime string omitempty

system.platformName
 Name string

types.ComponentVersion
 Name string
 Version string
 Details map[string]string omitempty

system.dockerInfo
 *system.Info
 ServerErrors []string omitempty
 UserName string -
 ClientInfo *system.clientInfo omitempty
 ClientErrors []string omitempty

system.clientInfo
 Debug bool
 system.clientVersion
 Plugins []any
 Warnings []string

system.Info
 ID string
 Containers int
 ContainersRunning int
 ContainersPaused int
 ContainersStopped int
 Images int
 Driver string
 DriverStatus [][2]string
 SystemStatus [][2]string omitempty
 Plugins system.PluginsInfo
 MemoryLimit bool
 SwapLimit bool
 KernelMemory bool omitempty
 KernelMemoryTCP bool omitempty
 CPUCfsPeriod bool CpuCfsPeriod
 CPUCfsQuota bool CpuCfsQuota
 CPUShares bool
 CPUSet bool
 PidsLimit bool
 IPv4Forwarding bool
 Debug bool
 NFd int
 OomKillDisable bool
 NGoroutines int
 SystemTime string
 LoggingDriver string
 CgroupDriver string
 CgroupVersion string omitempty
 NEventsListener int
 KernelVersion string
 OperatingSystem string
 OSVersion string
 OSType string
 Architecture string
 IndexServerAddress string
 RegistryConfig *registry.ServiceConfig
 NCPU int
 MemTotal int64
 GenericResources []any
 DockerRootDir string
 HTTPProxy string HttpProxy
 HTTPSProxy string HttpsProxy
 NoProxy string
 Name string
 Labels []string
 ExperimentalBuild bool
 ServerVersion string
 Runtimes map[string]system.RuntimeWithStatus
 DefaultRuntime string
 Swarm swarm.Info
 LiveRestoreEnabled bool
 Isolation container.Isolation
 InitBinary string
 ContainerdCommit system.Commit
 RuncCommit system.Commit
 InitCommit system.Commit
 SecurityOptions []string
 ProductLicense string omitempty
 DefaultAddressPools []system.NetworkAddressPool omitempty
 FirewallBackend *system.FirewallInfo omitempty
 CDISpecDirs []string
 DiscoveredDevices []system.DeviceInfo omitempty
 Containerd *system.ContainerdInfo omitempty
 Warnings []string

system.PluginsInfo
 Volume []string
 Network []string
 Authorization []string
 Log []string

registry.ServiceConfig
 AllowNondistributableArtifactsCIDRs []string omitempty
 AllowNondistributableArtifactsHostnames []string omitempty
 IndexConfigs map[string]*registry.IndexInfo
 InsecureRegistryCIDRs []*registry.NetIPNet
 Mirrors []string

registry.NetIPNet string

registry.IndexInfo
 Mirrors []string
 Name string
 Official bool
 Secure bool

system.RuntimeWithStatus
 system.Runtime
 Status map[string]string status omitempty

system.Runtime
 Path string path omitempty
 Args []string runtimeArgs omitempty
 Type string runtimeType omitempty
 Options map[string]any options omitempty

swarm.Info
 NodeID string
 NodeAddr string
 LocalNodeState string
 ControlAvailable bool
 Error string
 RemoteManagers []swarm.Peer
 Nodes int omitempty
 Managers int omitempty
 Cluster *swarm.ClusterInfo omitempty
 Warnings []string omitempty

swarm.Peer
 NodeID string
 Addr string

swarm.ClusterInfo
 ID string

system.Commit
 ID string
 Expected string omitempty

system.NetworkAddressPool
 Base string
 Size int

system.FirewallInfo
 Driver string
 Info [][2]string omitempty

system.DeviceInfo
 Source string
 ID string

system.ContainerdInfo
 Address string omitempty
 Namespaces system.ContainerdNamespaces

system.ContainerdNamespaces
 Containers string
 Plugins string

events.pointers
 Message *events.Message

events.Message
 Status string status omitempty
 ID string id omitempty
 From string from omitempty
 Type string
 Action string
 Actor events.Actor
 Scope string scope omitempty
 Time int64 time omitempty
 TimeNano int64 timeNano omitempty

events.Actor
 ID string
 Attributes map[string]string
`,
  special,
);
