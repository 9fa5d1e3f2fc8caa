//! Types that every layer of Capstan speaks: resource keys, manifests, Argo CD's custom resources, revisions, timestamps
