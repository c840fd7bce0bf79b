import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageSummary, ManifestSummary } from '../../api/images.ts';
import { printImageTree } from './image-tree.ts';
import type { Output } from './output.ts';

function image(tags: string[], manifests: ManifestSummary[], more: Partial<ImageSummary> = {}): ImageSummary {
  return {
    Id: `sha256:${'7'.repeat(64)}`,
    ParentId: '',
    RepoTags: tags,
    RepoDigests: [],
    Created: 1,
    Size: 1_984_295,
    SharedSize: -1,
    Labels: null,
    Containers: 0,
    Manifests: manifests,
    ...more,
  };
}

function manifest(architecture: string, content: number, containers: string[] = []): ManifestSummary {
  return {
    ID: `sha256:${'e'.repeat(64)}`,
    Descriptor: {},
    Available: content > 0,
    Size: { Content: content, Total: content === 0 ? 0 : content + 1_984_295 },
    Kind: 'image',
    ImageData: {
      Platform: { os: 'linux', architecture },
      Containers: containers,
      Size: { Unpacked: 1_984_295 },
    },
  };
}

function tree(images: ImageSummary[], all = false): string {
  let text = '';
  const out = {
    line: (line: string) => {
      text += `${line}\n`;
    },
  };
  printImageTree(out as unknown as Output, images, { all });
  return text;
}

test('names above each other, platforms below, as docker draws them', () => {
  const several = [manifest('amd64', 1_113_555, ['c']), manifest('s390x', 0)];
  const images = [
    image(['made:one', 'made:two'], [], { Created: 2, Size: 5 }),
    image(['localhost:5000/x/y:1', 'busybox:latest'], several, { Containers: 1 }),
    image([], []),
  ];
  assert.equal(
    tree(images),
    `IMAGE                  ID             DISK USAGE   CONTENT SIZE   EXTRA
made:one
made:two               777777777777           5B             0B

localhost:5000/x/y:1
busybox:latest         777777777777       1.98MB         1.11MB   U
├─ linux/amd64         eeeeeeeeeeee        3.1MB         1.11MB   U
└─ linux/s390x         eeeeeeeeeeee           0B             0B

`,
  );
});

test('without platforms there is no space between; nameless images with --all', () => {
  assert.equal(
    tree([image(['a:1'], []), image([], [])], true),
    `IMAGE        ID             DISK USAGE   CONTENT SIZE   EXTRA
a:1          777777777777       1.98MB             0B
<untagged>   777777777777       1.98MB             0B
`,
  );
});
