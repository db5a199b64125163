//! Stands in where fleet tells no load balancer: nothing of the fleet can be reached from outside, or somebody else
//! sends traffic to it.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Host, LoadBalancer, Member, Result};

/// Has no members and no URL, and does nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoBalancer;

#[async_trait]
impl LoadBalancer for NoBalancer {
    async fn sync(&self, _: &[Host]) -> Result<()> {
        Ok(())
    }

    async fn drain(&self, _: &[&Host]) -> Result<()> {
        Ok(())
    }

    async fn undrain(&self, _: &[&Host]) -> Result<()> {
        Ok(())
    }

    async fn members(&self) -> Result<BTreeMap<String, Member>> {
        Ok(BTreeMap::new())
    }

    fn balances(&self, _: &str) -> bool {
        false
    }

    fn is_told(&self) -> bool {
        false
    }

    fn url(&self) -> Option<String> {
        None
    }
}
